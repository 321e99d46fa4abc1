"""Python 2 code is found with its line and what Python 3 wants; code for Python 3 is not."""

from __future__ import annotations

import pytest

from geventcore.python2_code import findings_in_python, findings_in_template


@pytest.mark.parametrize(
    ("code", "line", "found", "advice"),
    [
        ("x = 1\nprint 'a', x\n", 2, "print", "print("),
        ("import sys\nprint >>sys.stderr, 'a'\n", 2, "print", "print("),
        ("try:\n    pass\nexcept KeyError, err:\n    pass\n", 3, "except", "except … as"),
        ("raise ValueError, 'x'\n", 1, "raise", "raise Error("),
        ("if a <> b:\n    pass\n", 1, "<>", "!="),
        ("x = `y`\n", 1, "`…`", "repr"),
        ("import os\nos.chmod('x', 0644)\n", 2, "octal", "0o644"),
        ("x = 10L\n", 1, "1L", "1"),
        ("exec 'x = 1'\n", 1, "exec", "exec("),
        ("import urllib2\n", 1, "urllib2", "urllib.request"),
        ("from ConfigParser import SafeConfigParser\n", 1, "ConfigParser", "configparser"),
        ("def f(d):\n    return d.has_key('x')\n", 2, ".has_key()", "in"),
        ("for k, v in d.iteritems():\n    pass\n", 1, ".iteritems()", "items"),
        ("x = unicode('y')\n", 1, "unicode", "str"),
        ("isinstance(x, basestring)\n", 1, "basestring", "str"),
        ("x = d.keys()[0]\n", 1, "d.keys(…)[…]", "list("),
        ("x = map(str, y)[0]\n", 1, "map(…)[…]", "list("),
        ("d.keys().sort()\n", 1, "d.keys().sort()", "sorted"),
        ("x.sort(cmp=f)\n", 1, "sort(cmp=…)", "cmp_to_key"),
        ("import string\nx = string.letters\n", 2, "string.letters", "ascii_letters"),
        ("import sys\nx = sys.maxint\n", 2, "sys.maxint", "maxsize"),
        ("x = 'a'.encode('hex')\n", 1, ".encode('hex')", "codecs"),
        ("x = y.next()\n", 1, ".next()", "next("),
        ("x = (1\n", 1, "syntax", "never closed"),
    ],
)
def test_what_python_3_refuses(code: str, line: int, found: str, advice: str) -> None:
    (finding, *_) = [each for each in findings_in_python(code) if each.is_error]
    assert finding.line == line
    assert found in finding.found
    assert advice in finding.advice


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import random\nrandom.seed(metadata.hostname)\n", "random.seed"),
        ("import configparser\n", "configparser"),
        ("from configparser import ConfigParser\n", "configparser"),
    ],
)
def test_what_differs(code: str, found: str) -> None:
    (finding,) = findings_in_python(code)
    assert not finding.is_error
    assert found in finding.found


@pytest.mark.parametrize(
    "code",
    [
        "print('a')\nprint()\n",
        "def long(x):\n    return x\nlong(1)\n",
        "try:\n    import ConfigParser\nexcept ImportError:\n    pass\n",
        "try:\n    text = unicode\nexcept NameError:\n    text = str\n",
        "x = 0o644 + 10 + 0\n",
        "# print 'a'\nx = 'print a <> b'\n",
        "from functools import reduce\nreduce(f, x)\n",
        "x = list(d.keys())[0]\n",
        "next(x)\n",
        "import random\nrandom.seed()\n",
        "d = {}\nfile = 'x'\nopen(file)\n",
    ],
)
def test_code_for_python_3(code: str) -> None:
    assert [finding for finding in findings_in_python(code) if finding.is_error] == []


@pytest.mark.parametrize(
    ("engine", "source", "line", "found"),
    [
        ("genshi", "a\n{% for k, v in d.iteritems() %}\n${k}\n{% end %}\n", 2, ".iteritems()"),
        ("genshi", "a\n${d.has_key('x')}\n", 2, ".has_key()"),
        ("genshi", "{% python\nimport os\nprint 'a'\n%}", 3, "print"),
        ("genshi", "{% python\n  import os\n  x = unicode('a')\n%}", 3, "unicode"),
        ("genshi", '<B xmlns:py="x">\n<P py:if="metadata.Properties.has_key(\'a\')"/></B>', 2, ".has_key()"),
        ("genshi", "<B>\n<?python\nimport urllib2\n?></B>", 3, "urllib2"),
        ("genshi", "{% python\nimport random\nrandom.seed(name)\n%}", 3, "random.seed"),
        ("genshi-tgenshi", "x\n#for k in d.iterkeys()\n$k\n#end\n", 2, ".iterkeys()"),
        ("jinja2", "{% for k, v in d.iteritems() %}{{ k }}{% endfor %}", 1, ".iteritems()"),
        ("cheetah", "a\n#if $d.has_key('x')\nb\n#end if\n", 2, ".has_key()"),
        ("cheetah", "a $d.iteritems()\n", 1, ".iteritems()"),
    ],
)
def test_templates(engine: str, source: str, line: int, found: str) -> None:
    (finding,) = findings_in_template(engine, source)
    assert (finding.line, found in finding.found) == (line, True)


@pytest.mark.parametrize(
    ("engine", "source"),
    [
        ("genshi", "print the file(s) long (ago) <> `x`\n0644 d.has_key(x)\n$${d.has_key(x)}\n"),
        ("genshi", "{% for k, v in sorted(d.items()) %}${k}{% end %}{% if 'a' in b %}x{% end %}"),
        ("genshi", '<B py:attrs="{}"><P name="d.has_key()"/></B>'),
        ("jinja2", "{{ x|map('upper')|list }} {% raw %}print 'a'{% endraw %}"),
        ("jinja2", "{% macro file(name) %}{% endmacro %}{{ long }}"),
        ("cheetah", "# d.iteritems\n## has_key(\n$x $y.z\n"),
    ],
)
def test_text_and_code_for_python_3_in_templates(engine: str, source: str) -> None:
    assert findings_in_template(engine, source) == []
