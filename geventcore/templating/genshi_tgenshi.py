"""Genshi's other kinds of templates, for the plugin TGenshi of Bcfg2 1.3: the old text syntax, and XML as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import genshi.core
import genshi.template

from geventcore.errors import TemplateError
from geventcore.templating.genshi import GenshiText, GenshiXML, load_template


class _Markup(GenshiXML):
    """An XML template whose result is the text of a file. Comments are left out."""

    def render(self, variables: Mapping[str, Any]) -> str:  # type: ignore[override]  # text in place of bytes
        """See `geventcore.templating.base.TextTemplate`."""
        try:
            stream = self._stream(variables).filter(_without_comments)
            return str(stream.render("xml", strip_whitespace=False, encoding=None))
        except Exception as err:  # a site's template may raise anything; it fails this entry only
            raise self._failure(err) from err


def _without_comments(stream: Any) -> Any:
    return (event for event in stream if event[0] is not genshi.core.COMMENT)


def load_text(path: Path, source: bytes, encoding: str) -> GenshiText | _Markup:
    """See `geventcore.templating.base.load_text_template`: ``template.xml…`` is XML, others have the old syntax."""
    try:
        text = source.decode(encoding)
    except UnicodeDecodeError as err:
        raise TemplateError(f"{path}: {err}") from err
    if path.name.startswith("template.xml"):
        return _Markup(path, load_template(path, text, encoding, genshi.template.MarkupTemplate))
    return GenshiText(path, load_template(path, text, encoding, genshi.template.OldTextTemplate))
