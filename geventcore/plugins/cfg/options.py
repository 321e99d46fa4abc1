"""The options of Cfg and its handlers."""

from __future__ import annotations

from typing import Any

from geventcore.crypt import ENCRYPTION_OPTIONS
from geventcore.options import Option, types

VALIDATION = Option(
    "cfg",
    "validation",
    types.BOOLEAN,
    True,
    "Whether the content of files is verified before clients get it.\n\n"
    "A file fails if the :test script beside it does not accept its content. Each verification starts a process, for "
    "each client.",
    flags=("--cfg-validation", "--no-cfg-validation"),
)

CATEGORY = Option(
    "cfg",
    "category",
    types.OPTIONAL_STRING,
    None,
    "The category of groups that generated keys and certificates are shared in.\n\n"
    "Clients in the same group of this category get the same one. Without a category every client gets its own.",
)

PASSPHRASE = Option(
    "cfg",
    "passphrase",
    types.OPTIONAL_STRING,
    None,
    "The name of the passphrase, a key of the section [encryption], that encrypts generated keys.\n\n"
    "Without one they are stored as they are.",
)

HANDLERS = Option(
    "cfg",
    "handlers",
    types.COMMA_LIST,
    (),
    "The handlers to use, with commas between them; without any, all of them.\n\n"
    "A file that needs another handler is then ignored, with an error in the log.",
)

SSHKEYS_CATEGORY = Option(
    "sshkeys",
    "category",
    types.OPTIONAL_STRING,
    None,
    "The category of groups that SSH keys are shared in, if it is not that of [cfg] category.\n\n"
    "A client without a group of this category gets no key that an authorizedkeys.xml takes from a file of the "
    "repository, unless a host or a group is named there.",
)

SSHKEYS_PASSPHRASE = Option(
    "sshkeys",
    "passphrase",
    types.OPTIONAL_STRING,
    None,
    "The name of the passphrase that encrypts private SSH keys, if it is not that of [cfg] passphrase.",
)

SSLCA_CATEGORY = Option(
    "sslca",
    "category",
    types.OPTIONAL_STRING,
    None,
    "The category of groups that TLS keys and certificates are shared in, if it is not that of [cfg] category.",
)

SSLCA_PASSPHRASE = Option(
    "sslca",
    "passphrase",
    types.OPTIONAL_STRING,
    None,
    "The name of the passphrase that encrypts TLS keys, if it is not that of [cfg] passphrase.",
)

CFG_OPTIONS: tuple[Option[Any], ...] = (
    *(VALIDATION, CATEGORY, PASSPHRASE, HANDLERS),
    *(SSHKEYS_CATEGORY, SSHKEYS_PASSPHRASE, SSLCA_CATEGORY, SSLCA_PASSPHRASE),
    *ENCRYPTION_OPTIONS,
)
