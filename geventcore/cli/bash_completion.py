"""Completion in bash of words with a colon or an equals sign, such as ``--entry=Path:/etc/motd``.

Bash breaks words at the characters of ``COMP_WORDBREAKS``, takes each as a word, and replaces only what stands behind
the last one. So the words are joined again, and an answer is only the part behind the last break (Bash Reference
Manual, Programmable Completion).
"""

from __future__ import annotations

import os

from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

_BREAKS = frozenset(":=")


class BrokenWordsComplete(BashComplete):
    """Completion for bash that knows words with colons and equals signs."""

    #: What of the word to complete stands before the last break.
    _before = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one to complete, and that one so far."""
        index = int(os.environ["COMP_CWORD"])
        pieces = split_arg_string(os.environ["COMP_WORDS"])[: index + 1]
        # The last word is missing if it is empty.
        pieces += [""] * (index + 1 - len(pieces))
        words: list[str] = []
        is_open = False
        for number, piece in enumerate(pieces):
            is_break = bool(piece) and _BREAKS.issuperset(piece)
            # An empty last word is a new one, since a break at the end is the last piece itself.
            continues = is_break or (is_open and bool(piece))
            if continues and words:
                if number == index:
                    self._before = words[-1] + (piece if is_break else "")
                words[-1] += piece
            else:
                words.append(piece)
            is_open = is_break
        return words[1:-1], words[-1]

    def format_completion(self, item: CompletionItem) -> str:
        """Return the line for the script of the shell."""
        value = item.value
        if item.type == "plain" and self._before:
            # Of --flag=value, an item has only the value.
            whole = self._before if value.startswith(self._before) else self._before.partition("=")[2]
            value = value.removeprefix(whole)
        return f"{item.type},{value}"


add_completion_class(BrokenWordsComplete, "bash")
