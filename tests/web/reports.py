"""Reports that try to run scripts in the pages."""

from __future__ import annotations

import time

from geventcore.storage.report_model import EntryKind, EntryState, FileContent, Interaction

#: Everything that a client can name, as an attempt to run a script.
ATTACK = '<script>window.broken = 1</script><img src=x onerror="window.broken = 1">'
ATTACK_HOST = 'evil"><script>alert(1)</script>.example.com'


def attacking_reports() -> list[Interaction]:
    """Reports with scripts in every text."""
    now = time.time_ns() // 1_000_000
    diff = f"- {ATTACK}\n+ good\n"
    values = (("current_mode", ATTACK), ("mode", "0644"), ("type", "file"))
    secret = (("current_mode", "0777"), ("mode", "0600"), ("sensitive", "true"))
    states = (
        (EntryKind.BAD, EntryState("Path", f"/etc/{ATTACK}", values, content=FileContent("diff", diff, len(diff)))),
        (EntryKind.BAD, EntryState("Path", "/etc/secret", secret)),
        (EntryKind.BAD, EntryState("Path", "/etc/image", content=FileContent("content", "AAEC", 3))),
        (EntryKind.BAD, EntryState("Path", "/etc/huge", content=FileContent("too large", "ab" * 32, 5_000_000))),
        (EntryKind.BAD, EntryState("Service", ATTACK, (("failure", ATTACK),))),
        (EntryKind.EXTRA, EntryState("Package", ATTACK, (("version", ATTACK),))),
    )  # fmt: skip
    return [
        Interaction(
            client=ATTACK_HOST,
            timestamp=now - hour * 3_600_000,
            server=ATTACK,
            state="dirty",
            revision=ATTACK,
            total=9,
            good=4,
            profile=ATTACK,
            version=ATTACK,
            groups=(ATTACK, "server"),
            bundles=(ATTACK,),
            entries=states,
            stamps=(("start", now - 9000), (ATTACK, now)),
        )
        for hour in (2, 5)
    ]
