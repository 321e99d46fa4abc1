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
    "Verify the content of files before clients get it.\n\n"
    "A file fails if the :test script in its directory rejects the content. Each verification starts a process, for "
    "each client.",
    flags=("--cfg-validation", "--no-cfg-validation"),
)

CATEGORY = Option(
    "cfg",
    "category",
    types.OPTIONAL_STRING,
    None,
    "The category of groups whose members share generated keys and certificates.\n\n"
    "Clients in the same group of this category get the same key. Without a category, every client gets its own.",
)

PASSPHRASE = Option(
    "cfg",
    "passphrase",
    types.OPTIONAL_STRING,
    None,
    "The name of the passphrase, a key of the section [encryption], that encrypts generated keys.\n\n"
    "Without it, keys are stored unencrypted.",
)

HANDLERS = Option(
    "cfg",
    "handlers",
    types.COMMA_LIST,
    (),
    "The handlers to use, separated by commas; all if empty.\n\n"
    "A file that needs another handler makes the entry fail for its clients.",
)

SSHKEYS_CATEGORY = Option(
    "sshkeys",
    "category",
    types.OPTIONAL_STRING,
    None,
    "The category of groups whose members share SSH keys; by default that of [cfg] category.\n\n"
    "For a client without a group in this category, an authorizedkeys.xml leaves out the keys that it takes from files "
    "of the repository, unless it names a host or a group for them.",
)

SSHKEYS_PASSPHRASE = Option(
    "sshkeys",
    "passphrase",
    types.OPTIONAL_STRING,
    None,
    "The name of the passphrase that encrypts private SSH keys; by default that of [cfg] passphrase.",
)

SSLCA_CATEGORY = Option(
    "sslca",
    "category",
    types.OPTIONAL_STRING,
    None,
    "The category of groups whose members share TLS keys and certificates; by default that of [cfg] category.",
)

SSLCA_PASSPHRASE = Option(
    "sslca",
    "passphrase",
    types.OPTIONAL_STRING,
    None,
    "The name of the passphrase that encrypts TLS keys; by default that of [cfg] passphrase.",
)

CFG_OPTIONS: tuple[Option[Any], ...] = (
    *(VALIDATION, CATEGORY, PASSPHRASE, HANDLERS),
    *(SSHKEYS_CATEGORY, SSHKEYS_PASSPHRASE, SSLCA_CATEGORY, SSLCA_PASSPHRASE),
    *ENCRYPTION_OPTIONS,
)
