"""The names of stored files: no host and no group can choose how its files are read, or for whom they are."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from geventcore.errors import SpecificityError
from geventcore.plugin.registry import load_object
from geventcore.plugin.specificity import EXTENSIONS, Specificity, file_name, is_misread, parse_file_name
from geventcore.plugins.cfg.handlers import HANDLERS, CfgDelta, HandlerTable
from geventcore.plugins.cfg.plaintext import PlaintextGenerator

#: Parts that names are made of: those that have a meaning in file names, and any others.
PARTS = st.one_of(
    st.sampled_from(
        [
            ".",
            ".H_",
            ".G10_",
            ".G",
            "H_",
            "_",
            "-",
            "..",
            "/",
            "a",
            "b.c",
            "${1}",
            " ",
            "\n",
            "\0",
            ".xml",
            ":test",
            "~",
        ]
    ),
    st.sampled_from([f".{extension}" for extension in EXTENSIONS]),
    st.sampled_from([".cat", ".diff", ".pub", ".genshi_", ".GENSHI", "genshi"]),
    st.text(max_size=5),
)
NAMES = st.lists(PARTS, min_size=1, max_size=6).map("".join)
BASES = st.sampled_from(["motd", "x.H_y", "id_rsa", "a.genshi", "info.xml", ":test", "privkey.xml", "authorized_keys"])
SPECIFICITIES = st.one_of(
    NAMES.map(Specificity),
    st.builds(lambda group, priority: Specificity(group=group, priority=priority), NAMES, st.integers(-1, 10**6)),
)
HANDLER_TABLE = HandlerTable()


@given(BASES, SPECIFICITIES, st.sampled_from(["", *EXTENSIONS, "genshi.crypt"]))
@example("motd", Specificity("evil.genshi"), "")
@example("motd", Specificity("evil.crypt"), "genshi")
@example("motd", Specificity(group="evil.jinja2", priority=50), "")
def test_a_name_that_is_made_is_read_back_unchanged(base: str, specificity: Specificity, extension: str) -> None:
    try:
        name = file_name(base, specificity, extension)
    except SpecificityError:
        return
    assert parse_file_name(name, base) == (specificity, extension)
    assert "/" not in name
    assert name.isprintable()


@given(BASES, st.lists(PARTS, max_size=6).map("".join))
@example("motd", ".H_evil.genshi")
@example("motd", ".H_.genshi")
@example("motd", ".H_genshi.genshi")
def test_a_name_that_is_read_can_be_made_again(base: str, rest: str) -> None:
    parts = parse_file_name(base + rest, base)
    if parts is None or (parts.specificity.group is not None and not rest.startswith(parts.specificity.suffix)):
        return  # The priority has more zeros than needed.
    assert f"{base}{parts.specificity.suffix}{'.' if parts.extension else ''}{parts.extension}" == base + rest
    try:
        assert file_name(base, *parts) == base + rest
    except SpecificityError:
        # Read, because an administrator may have written it, but never made.
        assert not (base + rest).isprintable() or len(rest.encode("utf-8", "surrogatepass")) > 200


@given(BASES, SPECIFICITIES)
@example("motd", Specificity("evil.genshi"))
@example(":test", Specificity("plain"))
def test_what_clients_send_is_stored_as_plain_text_for_exactly_them(base: str, specificity: Specificity) -> None:
    try:
        name = HANDLER_TABLE.plain_file_name(base, specificity)
    except SpecificityError:
        return
    assert HANDLER_TABLE.find(name, base) == (PlaintextGenerator, specificity)


@pytest.mark.parametrize("name", ["a", "a.example.com", "www.example.cat", "a-b_c", "h.genshi.example.com", "genshi"])
def test_hosts_can_have_files(name: str) -> None:
    assert not is_misread(name)
    table = HandlerTable(["CfgPlaintextGenerator"]) if name.endswith(".cat") else HANDLER_TABLE
    assert table.plain_file_name("motd", Specificity(name)) == f"motd.H_{name}"


@pytest.mark.parametrize("name", ["victim.cat", "victim.diff"])
def test_a_stored_file_is_never_a_delta_for_another_host(name: str) -> None:
    with pytest.raises(SpecificityError, match="would also be a delta"):
        HANDLER_TABLE.plain_file_name("motd", Specificity(name))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "a/b",
        "../a",
        "a\n",
        "a\0",
        "a\x1b[31m",
        "x" * 250,
        "\udcff",
        *(f"evil.{tail}" for tail in EXTENSIONS),
    ],
)
def test_hosts_that_cannot_have_files(name: str) -> None:
    assert is_misread(name)


def test_all_extensions_of_handlers_are_known() -> None:
    # Deltas are no way to read a file of a client: see geventcore.plugins.cfg.deltas.
    classes = [cls for cls in map(load_object, HANDLERS.values()) if not issubclass(cls, CfgDelta)]
    readers = [cls for cls in classes if not issubclass(cls, CfgDelta)]
    used = {part for cls in readers for name in (*cls.extensions, *cls.ignored_extensions) for part in name.split(".")}
    assert used == set(EXTENSIONS)
