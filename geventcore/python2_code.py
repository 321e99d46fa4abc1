"""Python 2 code in a site's files: finding it, with the line and what Python 3 wants.

A whole file of Python is parsed; what cannot be parsed is searched line by line for syntax of Python 2. Templates hold
pieces of code, which are found by the marks of the template language and searched in the same way. Only what is surely
wrong, or means something else in Python 3, is reported: text between the pieces is never searched.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """A piece of code that Python 3 refuses, or that gives another result there.

    Attributes:
        line: its line in the file, from 1.
        found: the code in question.
        advice: what Python 3 has instead, or how its result differs.
        is_error: true if Python 3 refuses it.
    """

    line: int
    found: str
    advice: str
    is_error: bool = True

    def __str__(self) -> str:
        verb = "does not work in Python 3" if self.is_error else "differs in Python 3"
        return f"line {self.line}: {self.found} {verb}: {self.advice}"


#: Modules that Python 3 has under another name.
MODULES = {
    "__builtin__": "builtins",
    "BaseHTTPServer": "http.server",
    "commands": "subprocess",
    "ConfigParser": "configparser",
    "Cookie": "http.cookies",
    "cookielib": "http.cookiejar",
    "cPickle": "pickle",
    "cStringIO": "io",
    "email.MIMEText": "email.mime.text",
    "HTMLParser": "html.parser",
    "httplib": "http.client",
    "md5": "hashlib",
    "Queue": "queue",
    "sets": "set, which needs no module",
    "sha": "hashlib",
    "SimpleHTTPServer": "http.server",
    "SocketServer": "socketserver",
    "StringIO": "io",
    "urllib2": "urllib.request and urllib.error",
    "urlparse": "urllib.parse",
    "xmlrpclib": "xmlrpc.client",
}
#: Builtin functions and types that Python 3 does not have.
NAMES = {
    "apply": "a call with *arguments",
    "basestring": "str",
    "cmp": "the operators < and >",
    "execfile": "exec",
    "file": "open",
    "long": "int",
    "raw_input": "input",
    "reduce": "functools.reduce",
    "reload": "importlib.reload",
    "unichr": "chr",
    "unicode": "str",
    "xrange": "range",
}
#: Those that are also usual names of variables: only calls are reported.
_AMBIGUOUS = frozenset({"apply", "cmp", "file", "long", "reduce", "reload"})
#: Methods that Python 3 does not have.
METHODS = {
    "has_key": "the operator in",
    "iteritems": "items",
    "iterkeys": "keys",
    "itervalues": "values",
    "viewitems": "items",
    "viewkeys": "keys",
    "viewvalues": "values",
}
#: ``module.name`` -> what Python 3 has instead.
MODULE_NAMES = {
    "itertools.ifilter": "filter",
    "itertools.imap": "map",
    "itertools.izip": "zip",
    "os.getcwdu": "os.getcwd",
    "os.popen2": "subprocess",
    "os.popen3": "subprocess",
    "string.join": 'the method join: " ".join(words)',
    "string.letters": "string.ascii_letters",
    "string.lower": "the method lower",
    "string.lowercase": "string.ascii_lowercase",
    "string.maketrans": "str.maketrans",
    "string.replace": "the method replace",
    "string.split": "the method split",
    "string.strip": "the method strip",
    "string.upper": "the method upper",
    "string.uppercase": "string.ascii_uppercase",
    "sys.maxint": "sys.maxsize",
    "urllib.quote": "urllib.parse.quote",
    "urllib.unquote": "urllib.parse.unquote",
    "urllib.urlencode": "urllib.parse.urlencode",
    "urllib.urlopen": "urllib.request.urlopen",
}
_LISTS = {"keys", "values", "items"}
_ITERATORS = {"map", "filter", "zip"}

#: Syntax of Python 2, and what Python 3 has instead.
_SYNTAX = (
    (re.compile(r"^\s*print\s+[^\s=(]|^\s*print\s*$|^\s*print\s*>>"), "print", "the function print(…)"),
    (re.compile(r"^\s*except\s+[\w.()\s,]+,\s*\w+\s*:"), "except …, name", "except … as name"),
    (re.compile(r"^\s*raise\s+[\w.]+\s*,"), "raise Error, text", "raise Error(text)"),
    (re.compile(r"^\s*exec\s+[^\s(=]"), "exec", "the function exec(…)"),
    (re.compile(r"<>"), "<>", "!="),
    (re.compile(r"`[^`]+`"), "`…`", "repr(…)"),
    (re.compile(r"(?<![\w.])0[0-7]+(?![\w.])"), "an octal number such as 0644", "0o644"),
    (re.compile(r"(?<!\w)\d+[lL](?!\w)"), "a long number such as 1L", "1"),
    (re.compile(r"(?<!\w)[uU][rR]['\"]"), 'ur"…"', 'r"…"'),
    (re.compile(r"\blambda\s*\("), "lambda (a, b)", "lambda pair: … pair[0] …"),
)
_STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")

_MISSING_NAME = re.compile(r"(?:name|has no attribute) '(\w+)'")


def hint(err: BaseException) -> str:
    """Return, in parentheses, what Python 3 has in place of what an exception misses; empty if nobody knows."""
    if isinstance(err, ModuleNotFoundError) and err.name in MODULES:
        return f" (a module of Python 2; Python 3 has {MODULES[err.name]})"
    if isinstance(err, NameError | AttributeError):
        match = _MISSING_NAME.search(str(err))
        known = {**NAMES, **METHODS}
        if match and match[1] in known:
            return f" (a name of Python 2; Python 3 has {known[match[1]]})"
    if isinstance(err, SyntaxError) and err.text:
        found = next(_in_lines(err.text, err.lineno or 1), None)
        if found is not None:
            return f" (code of Python 2: {found.found}; Python 3 has {found.advice})"
    return ""


def findings_in_python(source: str) -> list[Finding]:
    """Return what Python 3 refuses, or takes differently, in a file of Python."""
    found = _in_code(source, 1)
    return sorted(set(found))


def _parse(code: str) -> ast.Module | None:
    with warnings.catch_warnings():
        # Odd escapes and comparisons are no matter of Python 2.
        warnings.simplefilter("ignore")
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, RecursionError):
            return None


def _in_code(code: str, first_line: int) -> Iterator[Finding]:
    tree = _parse(code)
    if tree is not None:
        yield from _in_tree(tree, first_line)
        return
    found = list(_in_lines(code, first_line))
    yield from found
    if not any(finding.is_error for finding in found) and first_line == 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                compile(code, "code", "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as err:
                line = getattr(err, "lineno", None) or 1
                yield Finding(line, "this syntax", str(getattr(err, "msg", err)))


def _in_lines(code: str, first_line: int) -> Iterator[Finding]:
    """Search code that Python 3 cannot parse. Strings and comments are blanked first."""
    for number, line in enumerate(code.split("\n"), first_line):
        text = _STRING.sub(lambda match: '"' + " " * (len(match[0]) - 2) + '"', line).partition("#")[0]
        for pattern, name, advice in _SYNTAX:
            if pattern.search(text):
                yield Finding(number, name, advice)
        for method, advice in METHODS.items():
            if re.search(rf"\.{method}\s*\(", text):
                yield Finding(number, f".{method}()", advice)
        for name, advice in NAMES.items():
            if re.search(rf"(?<![\w.]){name}\s*\(", text) and not re.search(rf"\bdef\s+{name}\b", text):
                yield Finding(number, name, advice)
        for match in re.finditer(r"^\s*(?:import|from)\s+([\w.]+)", text):
            if match[1] in MODULES:
                yield Finding(number, f"the module {match[1]}", MODULES[match[1]])


class _Visitor(ast.NodeVisitor):
    """A search in a tree. Names that the code defines itself are its own matter."""

    def __init__(self, tree: ast.AST, first_line: int) -> None:
        self.found: list[Finding] = []
        self._offset = first_line - 1
        self._defined = _defined(tree)
        self._imported_carefully: set[int] = set()

    def _add(self, node: ast.AST, found: str, advice: str, is_error: bool = True) -> None:
        self.found.append(Finding(getattr(node, "lineno", 1) + self._offset, found, advice, is_error))

    def visit_Try(self, node: ast.Try) -> None:
        # ``try: import X except ImportError: import Y`` works with both.
        for handler in node.handlers:
            caught = ast.unparse(handler.type) if handler.type is not None else "Exception"
            if re.search(r"ImportError|ModuleNotFoundError|NameError|Exception", caught):
                for part in (*node.body, *handler.body):
                    self._imported_carefully.update(id(child) for child in ast.walk(part))
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name in MODULES and id(node) not in self._imported_carefully:
                self._add(node, f"the module {alias.name}", MODULES[alias.name])
            self._configparser(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if module in MODULES and id(node) not in self._imported_carefully and not node.level:
            self._add(node, f"the module {module}", MODULES[module])
        for alias in node.names:
            advice = MODULE_NAMES.get(f"{module}.{alias.name}")
            if advice and id(node) not in self._imported_carefully:
                self._add(node, f"{module}.{alias.name}", advice)
        self._configparser(node, module)

    def _configparser(self, node: ast.AST, module: str) -> None:
        if module in ("configparser", "ConfigParser"):
            advice = (
                "a section or key that occurs twice is an error, text after ; in a line is part of the value, and % in "
                "values is checked"
            )
            self._add(node, module, advice, is_error=False)

    def visit_Name(self, node: ast.Name) -> None:
        is_read = isinstance(node.ctx, ast.Load) and node.id in NAMES and node.id not in _AMBIGUOUS
        if is_read and node.id not in self._defined and id(node) not in self._imported_carefully:
            self._add(node, node.id, NAMES[node.id])

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.RShift) and isinstance(node.left, ast.Name) and node.left.id == "print":
            self._add(node, "print >>", "print(…, file=…)")
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name):
            advice = MODULE_NAMES.get(f"{node.value.id}.{node.attr}")
            if advice and id(node) not in self._imported_carefully:
                self._add(node, f"{node.value.id}.{node.attr}", advice)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Attribute):
            if function.attr in METHODS:
                self._add(node, f".{function.attr}()", METHODS[function.attr])
            elif function.attr == "next" and not node.args and not node.keywords:
                self._add(node, ".next()", "next(…)")
            elif function.attr in ("encode", "decode") and _is_text(node, "hex", "base64", "rot13", "string_escape"):
                self._add(node, f".{function.attr}({ast.unparse(node.args[0])})", "codecs, base64 or binascii")
            elif function.attr == "seed" and node.args:
                self._add(
                    node,
                    f"{ast.unparse(function)}(…)",
                    "the same seed gives other numbers, so what is made of them changes",
                    is_error=False,
                )
            elif function.attr == "sort" and isinstance(function.value, ast.Call) and _is_list_method(function.value):
                self._add(node, f"{ast.unparse(function)}()", "sorted(…): keys(), values() and items() are no lists")
        elif isinstance(function, ast.Name) and function.id in _AMBIGUOUS and function.id not in self._defined:
            if id(node) not in self._imported_carefully:
                self._add(node, function.id, NAMES[function.id])
        elif isinstance(function, ast.Name) and function.id == "sorted" and len(node.args) > 1:
            self._add(node, "sorted(…, function)", "sorted(…, key=functools.cmp_to_key(function))")
        if isinstance(function, ast.Attribute | ast.Name):
            name = function.attr if isinstance(function, ast.Attribute) else function.id
            if name in ("sort", "sorted") and any(keyword.arg == "cmp" for keyword in node.keywords):
                self._add(node, f"{name}(cmp=…)", "key=functools.cmp_to_key(…)")
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        value = node.value
        if isinstance(value, ast.Call) and (
            _is_list_method(value) or (isinstance(value.func, ast.Name) and value.func.id in _ITERATORS)
        ):
            self._add(node, f"{ast.unparse(value.func)}(…)[…]", "list(…)[…]: the result is no list")
        self.generic_visit(node)


def _is_list_method(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in _LISTS and not call.args and not call.keywords


def _is_text(call: ast.Call, *texts: str) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value in texts


def _defined(tree: ast.AST) -> set[str]:
    """Return the names that code defines: what it assigns, imports, or has as arguments."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.arg):
            found.add(node.arg)
    return found


def _in_tree(tree: ast.Module, first_line: int) -> Iterable[Finding]:
    visitor = _Visitor(tree, first_line)
    visitor.visit(tree)
    return visitor.found


# -- templates

#: Template engine -> the pieces of code in its templates; each pattern has one group with the code.
_PIECES: dict[str, tuple[re.Pattern[str], ...]] = {
    "genshi": (
        re.compile(r"(?<!\$)\$\{((?:[^{}]|\{[^{}]*\})*)\}"),
        re.compile(r"\{%-?\s*(?:python\s)?((?:.|\n)*?)%\}"),
        re.compile(r"<\?python\s((?:.|\n)*?)\?>"),
        re.compile(r"\bpy:\w+\s*=\s*\"([^\"]*)\""),
        re.compile(r"\bpy:\w+\s*=\s*'([^']*)'"),
    ),
    "jinja2": (re.compile(r"\{\{((?:.|\n)*?)\}\}"), re.compile(r"\{%((?:.|\n)*?)%\}")),
    "cheetah": (
        re.compile(r"^[ \t]*#(?!#)(.*)$", re.MULTILINE),
        re.compile(r"(?<!\\)\$\{?((?:\w|\.|\([^()\n]*\)|\[[^\[\]\n]*\])+)"),
    ),
}
_PIECES["genshi-tgenshi"] = (*_PIECES["genshi"], re.compile(r"^[ \t]*#(?!#)(.*)$", re.MULTILINE))
#: The keyword of a template language before an expression.
_KEYWORD = re.compile(
    r"\s*(?:if|elif|elseif|unless|while|for\s+[^=]*?\s+in|when|choose|with|set|def|return|silent|echo)\s"
)

#: What a piece has if there is anything to find in it. Most pieces have nothing, and are not parsed.
_HINT = re.compile(
    r"<>|`|(?<![\w.])0\d|\d[lL]\b|\b[uU][rR]['\"]|\b(?:print|except|raise|exec|lambda|import|sort|sorted|seed|encode|decode"
    r"|next|map|filter|zip|keys|values|items|string|sys|os|itertools|urllib"
    rf"|{'|'.join((*NAMES, *METHODS))})\b"
)


def findings_in_template(engine: str, source: str) -> list[Finding]:
    """Return what Python 3 refuses, or takes differently, in the code of a template."""
    found: set[Finding] = set()
    for pattern in _PIECES.get(engine, ()):
        for match in pattern.finditer(source):
            if not _HINT.search(match[1]):
                continue
            line = source.count("\n", 0, match.start(1)) + 1
            found.update(_in_piece(match[1], line))
    if engine == "jinja2":
        # Its expressions never had the names and the syntax of Python, but values have its methods.
        found = {finding for finding in found if finding.found.startswith(".")}
    return sorted(finding for finding in found if not _is_defined(finding.found, source))


def _is_defined(name: str, source: str) -> bool:
    """Return true if another piece of the template defines a name."""
    return name in NAMES and bool(
        re.search(rf"\b(?:def|import|as|for|with|set)\s+(?:[\w,\s]*,\s*)?\$?{name}\b|\b{name}\s*=[^=]", source)
    )


def _in_piece(piece: str, line: int) -> Iterator[Finding]:
    code = piece.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("&quot;", '"')
    lead = len(code) - len(code.lstrip("\n"))
    text = code.strip("\n")
    # Blocks of Python may be indented as a whole.
    tree = _parse(text) or _parse(_dedented(text)) or _parse(_KEYWORD.sub("", text, count=1).strip())
    if tree is not None:
        yield from _in_tree(tree, line + lead)
    else:
        yield from _in_lines(text, line + lead)


def _dedented(text: str) -> str:
    lines = text.split("\n")
    first = next((part for part in lines[1:] if part.strip()), "")
    indent = len(first) - len(first.lstrip())
    return "\n".join([lines[0].strip(), *(part[indent:] for part in lines[1:])])
