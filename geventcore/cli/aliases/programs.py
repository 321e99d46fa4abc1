"""The programs of Bcfg2 by name, each as a command of this program.

A flag of a program may stand before or behind its subcommand, and most are ours as well. Those that are not are
translated, or accepted without effect where they have no meaning here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Program:
    """One program.

    Attributes:
        command: the words of our command.
        ignored: flags without effect: flag -> true if it has a value.
        replaced: flag -> the flag that does the same here.
        translate: changes the arguments further.
    """

    command: tuple[str, ...]
    ignored: dict[str, bool] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    translate: Callable[[list[str]], list[str]] = list

    @staticmethod
    def asks_for_version(given: Sequence[str]) -> bool:
        """Return true if the flag for the version stands before the subcommand."""
        return "--version" in given[: _subcommand(given)]

    def arguments(self, given: Sequence[str]) -> list[str]:
        """Return the arguments of `geventcore` for those of the program."""
        words: list[str] = []
        rest = iter(given)
        for word in rest:
            if word == "--":
                words += [word, *rest]
                break
            flag, equals, _ = word.partition("=")
            if flag in self.ignored:
                if self.ignored[flag] and not equals:
                    next(rest, None)
                continue
            words.append(word.replace(flag, self.replaced[flag], 1) if flag in self.replaced else word)
        return [*self.command, *self.translate(words)]


#: Options of programs that load plugins, and of no other program.
_NO_EFFECT = {"--no-fam-blocking": False, "--cfg-validation": False}
#: Options of every program that loads plugins.
_CORE_FLAGS = {**_NO_EFFECT, "-x": True}


#: Global flags with a value.
_WITH_VALUE = frozenset(
    {
        "-C",
        "--config",
        "-E",
        "--encoding",
        "-o",
        "--logfile",
        "-Q",
        "--repository",
        "-W",
        "--web-config",
        "-x",
        "--password",
    }
)


def _profile_first(words: list[str]) -> list[str]:
    """``-p`` before the subcommand profiles it; behind it, it is the subcommand's own flag."""
    for number, word in enumerate(words[: _subcommand(words)]):
        if word in ("-p", "--profile"):
            return [*words[:number], "profile", *words[number + 1 :]]
    return words


#: Flags of commands of bcfg2-admin that mean something else before the command: command -> flag -> ours.
_ADMIN_FLAGS = {"compare": {"-d": "--diff-lines"}, "viz": {"-o": "--outfile"}}


def _own_flags(flags: dict[str, dict[str, str]]) -> Callable[[list[str]], list[str]]:
    """Return a translation of flags that some subcommands have for themselves: subcommand -> flag -> ours."""

    def translate(words: list[str]) -> list[str]:
        start = _subcommand(words)
        own = flags.get(words[start], {}) if start < len(words) else {}
        changed = []
        for word in words[start + 1 :]:
            flag = word[:2]
            is_own = flag in own and not word.startswith("--")
            changed.append(f"{own[flag]}{word[2:] and '=' + word[2:]}" if is_own else word)
        return [*words[: start + 1], *changed]

    return translate


def _subcommand(words: Sequence[str]) -> int:
    """Return the place of the first word that is neither a flag nor the value of one."""
    number = 0
    while number < len(words) and words[number].startswith("-"):
        number += 2 if words[number] in _WITH_VALUE else 1
    return min(number, len(words))


#: The same for bcfg2-reports.
_REPORTS_FLAGS = {"clients": {"-d": "--dirty"}}


PROGRAMS: dict[str, Program] = {
    "bcfg2-server": Program(("server",)),
    "bcfg2-info": Program(("info",), ignored=_CORE_FLAGS, translate=_profile_first),
    "bcfg2-admin": Program(("admin",), ignored=_NO_EFFECT, translate=_own_flags(_ADMIN_FLAGS)),
    "bcfg2-reports": Program(("bcfg2-reports",), translate=_own_flags(_REPORTS_FLAGS)),
    "bcfg2-lint": Program(("lint",), ignored=_CORE_FLAGS),
    "bcfg2-report-collector": Program(("report-collector",)),
    "bcfg2-crypt": Program(("bcfg2-crypt",)),
    "bcfg2-test": Program(
        ("test",), ignored={**_CORE_FLAGS, "--nose-options": True}, replaced={"--children": "--processes"}
    ),
}
