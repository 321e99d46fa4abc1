"""Command-line flags made from `Option` objects.

A flag does not become an argument of the command's function. Its text goes into `Invocation`, which
`geventcore.options.load_settings` reads as one of several sources. The text is validated at once, so that a wrong value
is a usage error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from geventcore.options import Option
from geventcore.options.reference import default_text
from geventcore.options.server import DEBUG
from geventcore.options.settings import wrong_value
from geventcore.options.types import ChoiceType, ValueType

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Invocation:
    """The options on the command line. Flags may stand anywhere, and a later flag overrides an earlier one.

    Attributes:
        config_file: the configuration file.
        command_line: the texts of options.
        program: the name of Bcfg2's program that was called, or None; see `is_original`.
    """

    config_file: Path | None = None
    command_line: dict[Option[Any], str] = field(default_factory=dict)
    program: str | None = None

    @property
    def is_original(self) -> bool:
        """True if the command was called by a name of Bcfg2, and does what the tool of that name does."""
        return self.program is not None

    @property
    def debug(self) -> bool:
        """True if errors are shown with a traceback."""
        return self.command_line.get(DEBUG) == "yes"


def click_option(option: Option[Any]) -> Callable[[F], F]:
    """Return a decorator that adds the flags of an option to a command.

    A yes-or-no option gets a pair, such as ``--listen-all`` and ``--no-listen-all``.
    """
    is_flag = option.type.is_flag

    def store(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is None or ctx.resilient_parsing:
            return
        text = ("yes" if value else "no") if is_flag else str(value)
        try:
            option.type.parse(text)
        except ValueError as err:
            raise click.BadParameter(wrong_value(option, text, str(err)), ctx=ctx, param=parameter) from err
        ctx.ensure_object(Invocation).command_line[option] = text

    attributes: dict[str, Any] = {"help": _help(option), "default": None, "expose_value": False, "callback": store}
    if is_flag:
        attributes |= {"is_flag": True}
    else:
        attributes |= {"type": _parameter_type(option), "metavar": getattr(option.type, "metavar", "TEXT")}
    if isinstance(option.type, ChoiceType):
        attributes |= {"shell_complete": _complete_from(option.type.names)}
    return click.option(_parameter_name(option), *_declarations(option), **attributes)


def _parameter_name(option: Option[Any]) -> str:
    return f"option_{option.section}_{option.key}".replace(":", "_").replace("-", "_").lower()


def _declarations(option: Option[Any]) -> list[str]:
    if not option.type.is_flag:
        return list(option.flags)
    short = [flag for flag in option.flags if not flag.startswith("--")]
    names = dict.fromkeys(flag.removeprefix("--no-").removeprefix("--") for flag in option.flags if flag not in short)
    return [*short, *(f"--{name}/--no-{name}" for name in names)]


def _help(option: Option[Any]) -> str:
    notes = []
    if option.env:
        notes.append(f"env: {option.env}")
    if default_text(option):
        notes.append(f"default: {default_text(option)}")
    text = option.help.partition("\n\n")[0]
    return f"{text} [{'; '.join(notes)}]" if notes else text


def _parameter_type(option: Option[Any]) -> click.ParamType[Any]:
    # The path type only makes the shell complete file names.
    return click.Path() if isinstance(option.type, ValueType) and option.type.is_path else click.STRING


def _complete_from(
    words: tuple[str, ...],
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    def complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in words if word.startswith(incomplete.lower())]

    return complete
