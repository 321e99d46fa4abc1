"""Purity of templates: can a template's result depend on anything but its variables?

A pure template reads its variables, computes with them, and changes nothing. Its result can be kept, for as long as
all that it has read is the same (`geventcore.plugin.recording`). Purity is shown from the template's code, which is
compared with lists of what is known to be pure. Everything else counts as impure: the time, random numbers, files, the
network, modules that are not in the list, includes (their files are read when the template is rendered), attributes
that begin with an underscore, and methods that are not in the list, because they may change an object that others see.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Modules without state, whose functions depend on their arguments only.
PURE_MODULES = _words("base64 binascii collections functools hashlib ipaddress itertools json math re string textwrap")
#: Builtins that depend on their arguments only. `hash` and `id` differ between processes.
PURE_BUILTINS = _words(
    """
    Ellipsis False None NotImplemented True abs all any ascii bin bool bytes chr dict divmod enumerate filter
    float format frozenset hasattr hex int isinstance iter len list map max min next oct ord pow range repr
    reversed round set slice sorted str sum tuple zip
    """
) | {name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)}
#: Methods that change nothing, of texts, collections, XML elements, the metadata, property files, and pure modules.
PURE_METHODS = _words(
    """
    Match XMLMatch accumulate b16encode b32encode b64decode b64encode capitalize casefold ceil center chain
    changed combinations compile copy count cycle decode dedent difference digest dropwhile encode end
    endswith escape expandtabs fill find findall finditer findtext floor format from_iterable fullmatch get
    getchildren getnext getparent getprevious group group_in_category groupby groupdict groups hexdigest
    hexlify host_address hosts inGroup indent index intersection ip_address ip_interface ip_network isalnum
    isalpha isascii isdecimal isdigit isdisjoint islice islower isnumeric isspace issubset issuperset istitle
    isupper items iter iterancestors iterchildren iterdescendants iterfind itertext join keys ljust loads
    lower lstrip match md5 partition permutations product removeprefix removesuffix replace rfind rindex rjust
    rpartition rsplit rstrip search sha1 sha224 sha256 sha384 sha512 shorten span split splitlines starmap
    start startswith strip sub subn subnets supernet swapcase symmetric_difference takewhile title translate
    union upper values wrap xpath zfill zip_longest
    """
)
#: Methods that change an object: harmless for what the template itself has made.
CHANGING_METHODS = _words(
    """
    add addnext addprevious append appendleft clear difference_update discard extend extendleft insert
    intersection_update move_to_end pop popitem popleft remove reverse rotate set setdefault sort subtract
    symmetric_difference_update update write
    """
)
_MAKERS = frozenset({"dict", "list", "set", "sorted", "namespace", "defaultdict", "OrderedDict", "deque", "Counter"})
#: Functions of pure modules that are imported by name, besides those in `PURE_METHODS`.
_PURE_FUNCTIONS = frozenset({"namedtuple", "partial", "reduce", "ascii_letters", "digits", "pi", "sqrt"})
_PLAIN_NODES = (
    *(ast.Expression, ast.Module, ast.Expr, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp),
    *(ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    *(ast.comprehension, ast.JoinedStr, ast.FormattedValue, ast.Lambda, ast.Starred, ast.keyword, ast.Slice),
    *(ast.arguments, ast.arg, ast.Return, ast.If, ast.For, ast.While, ast.Break, ast.Continue, ast.Pass, ast.Raise),
    *(ast.Try, ast.ExceptHandler, ast.Assert, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context),
    ast.alias,
)


class ImpureError(Exception):
    """The template is not known to be pure; the text says why."""


def check_attribute(name: str) -> None:
    """Raise `ImpureError` if reading an attribute of this name may lead out of the variables."""
    if name.startswith("_"):
        raise ImpureError(f"it uses the attribute {name}")


def check_call(name: str, on_own_object: bool) -> None:
    """Raise `ImpureError` if a method of this name may do more than compute; see `CHANGING_METHODS`."""
    check_attribute(name)
    if name in PURE_METHODS or (on_own_object and name in CHANGING_METHODS):
        return
    raise ImpureError(f"it calls the method {name}")


class PythonPurity(ast.NodeVisitor):
    """A check of a template's pieces of Python code.

    Attributes:
        names: the names that the code reads.
    """

    def __init__(self, trees: Iterable[ast.AST]) -> None:
        """Raise `ImpureError` if the code is not known to be pure."""
        trees = list(trees)
        self.names: set[str] = set()
        self._modules: set[str] = set()
        self._own = _own_names(trees)
        for tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    self._modules.update(alias.asname or alias.name for alias in node.names)
        for tree in trees:
            self.visit(tree)

    def generic_visit(self, node: ast.AST) -> None:
        if not isinstance(node, _PLAIN_NODES):
            raise ImpureError(f"it has a piece of Python that is not known to be pure ({type(node).__name__})")
        super().generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Del):
            raise ImpureError(f"it deletes {node.id}")
        if isinstance(node.ctx, ast.Load):
            self.names.add(node.id)
            if node.id.startswith("__") or (hasattr(builtins, node.id) and node.id not in PURE_BUILTINS):
                raise ImpureError(f"it uses {node.id}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        check_attribute(node.attr)
        if not isinstance(node.ctx, ast.Load):
            raise ImpureError(f"it changes the attribute {node.attr}")
        if node.attr in CHANGING_METHODS and not self._is_own(node.value):
            raise ImpureError(f"it uses the method {node.attr}")
        self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load) and not self._is_own(node.value):
            raise ImpureError("it changes an item of an object")
        key = node.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            # Genshi looks for an attribute if there is no such item.
            check_attribute(key.value)
        super().generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Attribute):
            check_call(function.attr, self._is_own(function.value) or self._is_module(function.value))
        elif not isinstance(function, ast.Name | ast.Lambda):
            raise ImpureError("it calls what an expression gives")
        super().generic_visit(node)

    def _is_own(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self._own

    def _is_module(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self._modules

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name not in PURE_MODULES:
                raise ImpureError(f"it uses the module {alias.name}")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level or node.module not in PURE_MODULES:
            raise ImpureError(f"it uses the module {node.module}")
        for alias in node.names:
            if not (alias.name in PURE_METHODS | _MAKERS | _PURE_FUNCTIONS or alias.name[:1].isupper()):
                raise ImpureError(f"it uses {alias.name} of the module {node.module}")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.decorator_list:
            raise ImpureError("it has a decorated function")
        self.visit(node.args)
        for statement in node.body:
            self.visit(statement)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self.visit(target)
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and not self._is_own(node.target) and not _is_text_or_number(node.value):
            # `a += b` changes the list a, which may be one that others see.
            raise ImpureError(f"it may change {node.target.id}")
        self.visit(node.target)
        self.visit(node.value)


def _is_text_or_number(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and not isinstance(node.value, bytes))


def _own_names(trees: Iterable[ast.AST]) -> frozenset[str]:
    """Return the names that are only ever given objects which the code itself has just made."""
    own: set[str] = set()
    others: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        (own if _makes(node.value) else others).add(target.id)
                    else:
                        others.update(_names(target))
            elif isinstance(node, ast.For | ast.comprehension):
                others.update(_names(node.target))
            elif isinstance(node, ast.arg):
                others.add(node.arg)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                others.add(node.name)
            elif isinstance(node, ast.alias):
                others.add((node.asname or node.name).partition(".")[0])
            elif isinstance(node, ast.FunctionDef):
                others.add(node.name)
    return frozenset(own - others)


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _makes(node: ast.expr) -> bool:
    if isinstance(node, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _MAKERS
