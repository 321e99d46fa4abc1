"""The public names of Bcfg2's modules that plugins may import: each exists here, or a reason says why not.

``names_13.txt`` lists the names that the modules of Bcfg2 1.3.4 define at their top level, without the leading
``Bcfg2.``; modules of the client, of tools and of the web interface are left out. ``names_14.txt`` lists those of 1.4
that 1.3.4 does not have.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from geventcore.compat import encryption, modules
from geventcore.core.base import Core
from geventcore.options import load_settings
from tests.support.encrypted_site import foreign
from tests.support.plugin_context import METADATA, write_files

NAMES = [
    f"Bcfg2.{name}"
    for file in ("names_13.txt", "names_14.txt")
    for name in (Path(__file__).parent / file).read_text().split()
]
#: What a site's plugin cannot do without.
EXPECTED = [
    "Bcfg2.Encryption.bruteforce_decrypt",
    "Bcfg2.Options.OptionParser",
    "Bcfg2.Options.SERVER_REPOSITORY",
    "Bcfg2.Server.Core.exposed",
    "Bcfg2.Server.Plugin.helpers.DEFAULT_FILE_METADATA",
    "Bcfg2.Server.Plugin.helpers.GroupSpool",
    "Bcfg2.Server.Plugin.helpers.get_template_data",
    "Bcfg2.Server.Plugin.helpers.get_xml_template_data",
    "Bcfg2.Server.Plugin.interfaces.TemplateDataProvider",
    "Bcfg2.Server.Plugins.Cfg.CfgGenerator",
    "Bcfg2.Server.Plugins.Cfg.SETUP",
    "Bcfg2.Server.Plugins.Cfg.CfgPlaintextGenerator.CfgPlaintextGenerator",
    "Bcfg2.Server.Plugins.Metadata.ClientMetadata",
    "Bcfg2.Server.Plugins.Metadata.XMLMetadataConfig",
    "Bcfg2.Server.Plugins.Packages.Collection.Collection",
    "Bcfg2.Server.Plugins.Packages.Yum.HAS_YUM",
    "Bcfg2.Server.Plugins.Properties.XMLPropertyFile",
    "Bcfg2.Server.Plugins.SSLCA.SSLCA",
    "Bcfg2.Utils.ClassName",
]


def imported(name: str) -> object:
    """What ``from <module> import <name>`` gives a site's plugin."""
    module, _, last = name.rpartition(".")
    return getattr(modules.import_served(module, [last]), last)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_plugins_need_exists(name: str) -> None:
    assert name in NAMES
    imported(name)


def test_a_missing_name_has_a_reason() -> None:
    missing = []
    for name in NAMES:
        try:
            imported(name)
        except ImportError as err:
            missing.append(name)
            text = str(err)
            assert re.search(r"does not exist in geventcore: \S+|geventcore has no plugin", text), text
            assert modules.LEFT_OUT["*"] not in text, f"{name} has no reason of its own"
    assert len(missing) < 260


def test_every_reason_is_used() -> None:
    assert modules.reason_for("Bcfg2.Options.CLIENT_QUICK").startswith("it is an option of Bcfg2's client")
    assert modules.reason_for("Bcfg2.Server.Plugins.Metadata.MetadataClientModel") == "plugins have no database here"
    assert modules.reason_for("Bcfg2.Nothing") == modules.LEFT_OUT["*"]


def test_encryption_as_site_code_uses_it(tmp_path: Path) -> None:
    conf = tmp_path / "bcfg2.conf"
    write_files(tmp_path / "repository", METADATA)
    conf.write_text(
        f"[server]\nrepository = {tmp_path}/repository\nplugins = Metadata\n[encryption]\none = first\ntwo = second\n"
    )
    core = Core(load_settings(config_file=conf))
    try:
        core.load()
        assert encryption.get_passphrases() == {"one": "first", "two": "second"}
        text = encryption.ssl_encrypt("secret é", "second")
        assert encryption.is_encrypted(text)
        assert encryption.ssl_decrypt(text, "second") == "secret é"
        assert encryption.bruteforce_decrypt(text) == "secret é"
        with pytest.raises(encryption.EVPError):
            encryption.bruteforce_decrypt(foreign("x", ("first", "second")))
    finally:
        core.shutdown()
