"""The manual that is made from options, and the sample configuration file."""

from __future__ import annotations

import re
from pathlib import Path

from geventcore.options import Option, default_settings, load_settings, types
from geventcore.options.reference import reference_rst, sample_conf
from geventcore.options.server import COMMON_OPTIONS, REPOSITORY

MASK = Option(
    "site",
    "mask",
    types.STRING,
    "100%*",
    "What *this* is.\n\nAnd | more `of` it.",
    flags=("-m", "--mask"),
    env="SITE_MASK",
    synonyms=(("old", "mask"),),
)
PIDFILE = Option("", "daemon", types.OPTIONAL_PATH, None, "The file with the process number.", flags=("-D", "--daemon"))


def test_the_reference_has_every_fact() -> None:
    assert (
        reference_rst([MASK, PIDFILE])
        == r"""Only on the command line
------------------------

``--daemon``
    :accepts: a path, or nothing
    :default: nothing
    :command line: ``-D``, ``--daemon``

    The file with the process number.

[site]
------

``mask``
    :accepts: any text
    :default: ``100%*``
    :command line: ``-m``, ``--mask``
    :environment: ``SITE_MASK``
    :also as: ``[old] mask``

    What \*this\* is.

    And \| more \`of\` it.
"""
    )


def test_the_sample_sets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bcfg2.conf"
    path.write_text(sample_conf([*COMMON_OPTIONS, MASK, PIDFILE]))
    settings = load_settings(options=COMMON_OPTIONS, config_file=path, environ={})
    assert [option.label for option in COMMON_OPTIONS if settings.is_set(option)] == []
    assert settings.warnings == []


def test_the_sample_without_comment_signs_sets_the_defaults(tmp_path: Path) -> None:
    options = [*COMMON_OPTIONS, MASK]
    text, changed = re.subn(r"(?m)^#(?=[a-z])", "", sample_conf(options))
    assert changed == len(options)
    path = tmp_path / "bcfg2.conf"
    path.write_text(text)
    settings = load_settings(options=options, config_file=path, environ={})
    settings.check()
    for option in options:
        assert settings.is_set(option), option.label
        assert settings[option] == default_settings()[option], option.label


def test_every_common_option_explains_itself() -> None:
    for option in COMMON_OPTIONS:
        first = option.help.partition("\n\n")[0]
        assert first.endswith((".", ": true or false.")), option.label
        assert len(first) < 120, option.label
    assert COMMON_OPTIONS[0] is REPOSITORY
