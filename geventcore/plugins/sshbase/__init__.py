"""SSHbase: the host keys of clients, and the file of all host keys.

The files in ``SSHbase/`` are for hosts, groups or all, depending on their names (docs: reference/repository,
"Specificity"):

* ``ssh_host_<type>_key`` and ``ssh_host_<type>_key.pub`` (dsa, ecdsa, ed25519, rsa; ``ssh_host_key`` for protocol 1),
  also encrypted, with ``.crypt`` at the end;
* ``ssh_known_hosts``: delivered unchanged, instead of the file that is generated from all keys;
* ``*.static``: the first lines of every generated file;
* ``info.xml``: attributes of all files, as in Cfg.

From the outside in: `plugin` (binding, new keys, connector), `files` (the files of the directory), `known_hosts` (the
file of all keys), `name_service` (names and addresses from the resolver).
"""

from geventcore.plugins.sshbase.plugin import SSHbase

__all__ = ["SSHbase"]
