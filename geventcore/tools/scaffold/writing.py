"""Writing the files of a new plugin or core."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from geventcore.errors import GeventcoreError
from geventcore.tools.scaffold.interfaces import PARTS, Part

#: Modules of the standard library come first among imports, then other libraries, then ours.
_STANDARD_LIBRARY = ("collections.abc", "typing")


def module_name(name: str) -> str:
    """Return the name of the module of a class: ``site_inventory`` for ``SiteInventory``.

    Raises:
        GeventcoreError: it cannot be the name of a class.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or not name[0].isupper():
        raise GeventcoreError(f"{name!r} is not a name for a class: expected a word such as Inventory")
    module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    if keyword.iskeyword(module):
        return f"{module}_"
    if module in sys.stdlib_module_names:
        raise GeventcoreError(
            f"the module {module}.py would hide a module of Python: choose another name, such as Site{name}"
        )
    return module


def new_plugin(directory: Path, name: str, interfaces: Sequence[str]) -> list[Path]:
    """Write a plugin that implements interfaces (keys of `PARTS`), its test and its page; return the files."""
    module = module_name(name)
    parts = [PARTS[interface] for interface in interfaces]
    values = {
        "name": name,
        "module": module,
        "summary": ", and ".join(part.summary for part in parts),
        "bases": ", ".join(("Plugin", *(part.interface for part in parts))),
        "imports": _imports(parts),
        "attributes": "".join(f"\n{part.attributes}" for part in parts if part.attributes),
        "methods": "\n".join(part.methods.format(name=name, module=module) for part in parts),
        "tests": "\n\n".join(_test(part, name, module) for part in parts),
        "interfaces": ", ".join(f"`{part.interface}`" for part in parts),
    }
    return _write(
        directory,
        {
            f"{module}.py": "plugin.py.template",
            f"test_{module}.py": "test_plugin.py.template",
            f"{module}.md": "plugin.md.template",
        },
        values,
    )


def new_core(directory: Path, name: str) -> list[Path]:
    """Write a core that serves each connection in a thread, its test and its page; return the files."""
    module = module_name(name)
    return _write(
        directory,
        {
            f"{module}.py": "core.py.template",
            f"test_{module}.py": "test_core.py.template",
            f"{module}.md": "core.md.template",
        },
        {"name": name, "module": module, "short_name": module.removesuffix("_core")},
    )


def _test(part: Part, name: str, module: str) -> str:
    function = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", part.interface).lower()
    return f"def test_{function}(site: Site) -> None:\n{part.test.format(name=name, module=module)}"


def _imports(parts: Sequence[Part]) -> str:
    """Return the import statements, sorted as ruff and isort do."""
    wanted: dict[str, set[str]] = {
        "geventcore.plugin.base": {"Plugin"},
        "geventcore.plugin.interfaces": {part.interface for part in parts},
    }
    for part in parts:
        for module, names in part.imports.items():
            wanted.setdefault(module, set()).update(names)
    sections: list[list[str]] = [[f"import {name}" for name in sorted(wanted.pop("", ()))], [], []]
    for module in sorted(wanted):
        section = 0 if module in _STANDARD_LIBRARY else 2 if module.startswith("geventcore.") else 1
        sections[section].append(f"from {module} import {', '.join(sorted(wanted[module]))}")
    return "\n\n".join("\n".join(section) for section in sections if section)


def _write(directory: Path, templates: Mapping[str, str], values: Mapping[str, str]) -> list[Path]:
    paths = [directory / name for name in templates]
    existing = [str(path) for path in paths if path.exists()]
    if existing:
        raise GeventcoreError(f"nothing was written, since these files exist: {', '.join(existing)}")
    directory.mkdir(parents=True, exist_ok=True)
    sources = files("geventcore.tools.scaffold")
    for path, template in zip(paths, templates.values(), strict=True):
        text = Template((sources / template).read_text(encoding="utf-8")).substitute(values)
        path.write_text(text, encoding="utf-8")
    return paths
