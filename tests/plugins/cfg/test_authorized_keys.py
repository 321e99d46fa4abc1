"""Cfg: authorized_keys files that are put together from keys in the repository."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from geventcore.errors import PluginExecutionError
from geventcore.options import Option
from geventcore.plugins.cfg.options import SSHKEYS_CATEGORY
from tests.support.cfg_site import bind, client
from tests.support.plugin_context import small_server, write_files

METADATA = {
    "Metadata/groups.xml": (
        '<Groups><Group name="p" profile="true" default="true"/><Group name="red" category="colour"/></Groups>'
    ),
    "Metadata/clients.xml": '<Clients><Client name="h" profile="p"/><Client name="other" profile="p"/></Clients>',
}
KEYS = {
    "Cfg/key.pub/key.pub": "ssh-rsa ALL all\n",
    "Cfg/key.pub/key.pub.H_other": " ssh-rsa OTHER other\n\n",
    "Cfg/key.pub/key.pub.G10_admins": "ssh-rsa ADMINS admins",
    "Cfg/empty.pub/empty.pub": " \n",
}


def keys(root: Path, xml: str, *groups: str, options: dict[Option[str | None], str] | None = None) -> str:
    """The file that client ``h`` gets."""
    write_files(root, {**METADATA, **KEYS, "Cfg/ak/authorizedkeys.xml": f"<AuthorizedKeys>{xml}</AuthorizedKeys>"})
    with small_server(root, ["Metadata", "Cfg"], options) as server:
        metadata = client("h", *groups)
        metadata.query = server.core.metadata_source().query
        return bind(server, "/ak", metadata).text or ""


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ('<Allow from="/key.pub"/>', "ssh-rsa ALL all"),
        ('<Allow from="/key.pub" host="other"/>', "ssh-rsa OTHER other"),
        ('<Allow from="/key.pub" group="admins"/>', "ssh-rsa ADMINS admins"),
        ("<Allow>\n ssh-ed25519 X x\n</Allow>", "ssh-ed25519 X x"),
        ("<Allow>a</Allow><Allow>b</Allow>", "a\nb"),
        ('<Group name="g"><Allow>in</Allow></Group><Allow>b</Allow>', "b\nin"),
        ('<Group name="no"><Allow>in</Allow></Group><Allow>b</Allow>', "b"),
        ("<Allow/><Allow>  </Allow><Allow>b</Allow>", "b"),
        ('<Allow from="/nothing"/><Allow>b</Allow>', "b"),
        ('<Allow from="/empty.pub"/><Allow>b</Allow>', "b"),
        ('<Allow from="/key.pub" host="unknown.to.nobody"/><Allow>b</Allow>', "ssh-rsa ALL all\nb"),
        ('<Allow>k<Option name="no-pty"/></Allow>', "no-pty k"),
        ('<Allow>k<Option name="command" value=\'"x"\'/><Option name="no-pty"/></Allow>', 'command="x",no-pty k'),
        ('<Allow>k<Group name="no"><Option name="no-pty"/></Group></Allow>', "k"),
        ("", ""),
    ],
)
def test_lines(tmp_path: Path, xml: str, expected: str) -> None:
    assert keys(tmp_path, xml, "g") == expected


def test_a_category_leaves_out_clients_without_a_group_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    xml = '<Allow from="/key.pub" category="colour"/>'
    assert keys(tmp_path, xml) == ""
    assert "h has no group in category colour" in caplog.text
    assert keys(tmp_path, xml, "red") == "ssh-rsa ALL all"
    assert keys(tmp_path, '<Allow from="/key.pub"/>', options={SSHKEYS_CATEGORY: "colour"}) == ""
    assert keys(tmp_path, '<Allow from="/key.pub" host="other"/>', options={SSHKEYS_CATEGORY: "colour"}) != ""


def test_a_file_that_needs_itself_leaves_that_key_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert keys(tmp_path, '<Allow from="/ak"/><Allow>b</Allow>') == "b"
    assert "authorizedkeys.xml: this file includes its own content" in caplog.text


def test_a_file_may_need_that_of_another_host(tmp_path: Path) -> None:
    xml = '<Client name="h"><Allow from="/ak" host="other"/></Client><Client name="other"><Allow>o</Allow></Client>'
    assert keys(tmp_path, xml) == "o"


def test_a_broken_file_fails_the_entry(tmp_path: Path) -> None:
    with pytest.raises(PluginExecutionError, match=r"authorizedkeys\.xml"):
        keys(tmp_path, "<Allow>")


@pytest.mark.parametrize(
    "content",
    [
        'command="evil" ssh-rsa AAAA',
        "restrict ssh-rsa AAAA",
        "cert-authority ssh-rsa AAAA",
        "ssh-rsa AAAA x\nssh-rsa BBBB",
        "# comment",
        "ssh-rsa",
        "no key",
    ],
)
def test_options_are_for_one_key(tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture) -> None:
    write_files(tmp_path, {"Cfg/sent.pub/sent.pub": content})
    option = '<Option name="command" value="/bin/true"/>'
    assert keys(tmp_path, f'<Allow from="/sent.pub">{option}</Allow><Allow>b</Allow>') == "b"
    assert "the options are for one key, and /sent.pub is something else" in caplog.text
