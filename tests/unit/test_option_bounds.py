"""Numbers that would break a server are refused where they are read: one row for every option that is a number."""

from __future__ import annotations

from typing import Any

import pytest

from geventcore.cli.components import load_components
from geventcore.core.worker_link import ALIVE_SECONDS
from geventcore.cores.gevent.options import LEAST_WORKER_TIMEOUT
from geventcore.options import Option
from geventcore.plugins import PLUGINS

HUGE = "9" * 18
#: More seconds than a system's clock can wait for.
FOREVER = "1e300"

#: Option -> texts that are values at the edge of what makes sense, texts that are none.
BOUNDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "[awstags] timeout": (("0.1", "60"), ("0", "-1", FOREVER)),
    "[builtin] threads": (("1",), ("0", "-1", HUGE)),
    "[caching] bound_entries": (("0", "1g"), ("-1",)),
    "[database] connections": (("1", "100"), ("0", "-1", HUGE)),
    "[database] port": (("", "1", "65535"), ("0", "65536", "-1")),
    "[database] reporting_port": (("", "1", "65535"), ("0", "65536", "-1")),
    "[database] timeout": (("0", "-1", "0.1", "600"), ("0.01", FOREVER)),
    "[gevent] answer_memory": (("64k", "1g"), ("0", "1", "-1")),
    "[gevent] max_blocking": (("0", "0.01", "60"), ("-1", "0.001", FOREVER)),
    "[gevent] max_connections": (("1", HUGE), ("0", "-1")),
    "[gevent] max_handshakes": (("1",), ("0", "-1")),
    "[gevent] max_renders": (("1",), ("0", "-1")),
    "[gevent] pool_size": (("1",), ("0", "-1")),
    "[gevent] upload_memory": (("64k", "1g"), ("0", "1", "-1")),
    "[gevent] worker_timeout": (("3", "3600"), ("0", "2", "-1", FOREVER)),
    "[gevent] workers": (("auto", "1", "1024"), ("0", "-1", HUGE)),
    "[ldap] retries": (("0", "100"), ("-1", HUGE)),
    "[ldap] retry_delay": (("0", "60"), ("-1", FOREVER)),
    "[ldap] timeout": (("1", "3600"), ("0", "-1", HUGE)),
    "[logging] performance_interval": (("0", "1", "3600"), ("0.1", FOREVER)),
    "[puppetenc] timeout": (("0", "60"), (FOREVER,)),
    "[reporting] file_limit": (("0", "1g"), ("-1",)),
    "[reporting] keep_days": (("0", "36500"), ("-1", HUGE)),
    "[reporting] max_children": (("0", "64"), ("-1", HUGE)),
    "[reporting] redis_db": (("0", "15"), ("-1",)),
    "[reporting] redis_port": (("1", "65535"), ("0", "65536")),
    "[reporting] spool_limit": (("1", "1t"), ("0", "-1")),
    "[server] drain_timeout": (("0", "3600"), ("-1", FOREVER)),
    "[server] gzip_level": (("0", "9"), ("-1", "10")),
    "[server] handshake_timeout": (("1", "600"), ("0", "-1", FOREVER)),
    "[server] idle_timeout": (("0.1", "600"), ("0", "-1", FOREVER)),
    "[server] max_body": (("64k", "1g"), ("0", "1", "-1")),
    "[server] request_timeout": (("1", "600"), ("0", "-1", FOREVER)),
    "[trigger] timeout": (("0", "60"), (FOREVER,)),
}


def _numbers() -> dict[str, Option[Any]]:
    options = load_components(PLUGINS).options
    words = ("a number", "a whole number", "a size")
    return {option.label: option for option in options if option.type.accepts.startswith(words)}


OPTIONS = _numbers()


def test_no_number_is_left_out() -> None:
    assert OPTIONS.keys() == BOUNDS.keys()


@pytest.mark.parametrize("label", sorted(BOUNDS))
def test_values_without_a_sense_are_refused(label: str) -> None:
    accepted, refused = BOUNDS[label]
    option = OPTIONS[label]
    for text in accepted:
        option.type.parse(text)
    for text in refused:
        with pytest.raises(ValueError):  # noqa: PT011 - the text is the caller's
            option.type.parse(text)


def test_a_worker_that_lives_has_time_to_say_so() -> None:
    assert LEAST_WORKER_TIMEOUT > ALIVE_SECONDS
