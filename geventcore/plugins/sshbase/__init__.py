"""SSHbase: the host keys of clients, and the file of all host keys.

The files of the directory ``SSHbase/`` are for hosts, groups or all, as their names say (docs: reference/repository,
"Specificity"):

* ``ssh_host_<type>_key`` and ``ssh_host_<type>_key.pub`` (dsa, ecdsa, ed25519, rsa; ``ssh_host_key`` for protocol 1),
  also encrypted, with ``.crypt`` at the end;
* ``ssh_known_hosts``: delivered as it is, instead of what is put together from all keys;
* ``*.static``: lines that every such file begins with;
* ``info.xml``: attributes for everything, as in Cfg.

From the outside in: `plugin` (binding, new keys, connector), `files` (what is in the directory), `known_hosts` (the
file of all keys), `name_service` (names and addresses from the resolver).
"""

from geventcore.plugins.sshbase.plugin import SSHbase

__all__ = ["SSHbase"]
