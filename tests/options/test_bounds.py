"""Numbers that would break a server are refused where they are read: one row for every option that is a number."""

from __future__ import annotations

from typing import Any

import pytest

from geventcore.cli.components import all_components
from geventcore.cores.gevent.options import LEAST_WORKER_TIMEOUT
from geventcore.options import Option
from geventcore.workers.link import ALIVE_SECONDS

HUGE = "9" * 18
#: More seconds than a system's clock can wait for.
FOREVER = "1e300"

#: Option -> texts that are values at the edge of what makes sense, texts that are none.
BOUNDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "[MergeFiles] threshold": (("0", "0.5", "100"), ("-1", "101", HUGE)),
    "[awstags] timeout": (("0.1", "60"), ("0", "-1", FOREVER)),
    "[bcfg2_test] children": (("0", "1024"), ("-1",)),
    "[builtin] threads": (("1",), ("0", "-1", HUGE)),
    "[caching] answers": (("0", "1g"), ("-1",)),
    "[caching] bound_entries": (("0", "1g"), ("-1",)),
    "[cherrypy] threads": (("1",), ("0", "-1", HUGE)),
    "[communication] retries": (("0", "1000"), ("-1", HUGE)),
    "[communication] retry_delay": (("0", "60"), ("-1", FOREVER)),
    "[communication] timeout": (("0.1", "600"), ("0", "-1", FOREVER)),
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
    "[metadata] register_limit": (("0", "1000000"), ("-1", HUGE)),
    "[metadata] register_rate": (("1", "100000"), ("0", "-1", HUGE)),
    "[packages] max_download": (("1m", "10g"), ("0", "1", "-1")),
    "[packages] refresh_interval": (("0", "-1", "60", "86400"), ("1", FOREVER)),
    "[packages] retries": (("0", "20"), ("-1", HUGE)),
    "[packages] start_timeout": (("0.1", "600"), ("0", "-1", FOREVER)),
    "[packages] timeout": (("0.1", "600"), ("0", "-1", FOREVER)),
    "[probes] max_groups": (("1", "1000000"), ("0", "-1")),
    "[probes] max_result_size": (("1k", "1g"), ("0", "1", "-1")),
    "[probes] max_results": (("1", "1000000"), ("0", "-1")),
    "[puppetenc] timeout": (("0", "60"), (FOREVER,)),
    "[reporting] file_limit": (("0", "1g"), ("-1",)),
    "[reporting] keep_days": (("0", "36500"), ("-1", HUGE)),
    "[reporting] max_children": (("0", "64"), ("-1", HUGE)),
    "[reporting] max_entries": (("1", "1000000"), ("0", "-1")),
    "[reporting] max_size": (("64k", "1g"), ("0", "1", "-1")),
    "[reporting] redis_db": (("0", "15"), ("-1",)),
    "[reporting] redis_port": (("1", "65535"), ("0", "65536")),
    "[reporting] spool_limit": (("1", "1t"), ("0", "-1")),
    "[server] drain_timeout": (("0", "3600"), ("-1", FOREVER)),
    "[server] gzip_level": (("0", "9"), ("-1", "10")),
    "[server] handshake_timeout": (("1", "600"), ("0", "-1", FOREVER)),
    "[server] idle_timeout": (("0.1", "600"), ("0", "-1", FOREVER)),
    "[server] max_file_size": (("0", "1g"), ("-1",)),
    "[server] max_stale": (("0", "-1", "86400"), (FOREVER,)),
    "[server] quiet_seconds": (("0", "60"), ("-1", "61")),
    "[server] max_body": (("64k", "1g"), ("0", "1", "-1")),
    "[server] request_timeout": (("1", "600"), ("0", "-1", FOREVER)),
    "[server] children": (("1", "1024"), ("0", "-1", HUGE)),
    "[server] upload_memory": (("64k", "1g"), ("0", "1", "-1")),
    "[tornado] threads": (("1",), ("0", "-1", HUGE)),
    "[tracing] sample": (("0", "0.01", "1"), ("-0.1", "1.1", HUGE)),
    "[trigger] timeout": (("0", "60"), (FOREVER,)),
    "[twisted] threads": (("1",), ("0", "-1", HUGE)),
    "[web] page_size": (("10", "1000"), ("9", "1001", "-1")),
    "[web] session_hours": (("1", "720"), ("0", "721", "-1")),
}


def _numbers() -> dict[str, Option[Any]]:
    options = all_components().options
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
