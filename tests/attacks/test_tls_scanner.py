"""What a scanner says of the server's TLS: Mozilla's "intermediate" settings, and none of the known weaknesses.

There are two ways to TLS: on a socket, and in memory in cores whose event loop calls back. One core of each is scanned.
The scanner (sslyze) needs an older cryptography than the server, so it has an environment of its own, which the first
run makes in ``.cache/sslyze``.
"""

from __future__ import annotations

import ast
import fcntl
import re
import subprocess
import sys
from pathlib import Path

import pytest

from geventcore.testing.live_site import LiveSite

SCANNER = "sslyze>=6.1,<7"
PLACE = Path(__file__).parents[2] / ".cache" / "sslyze"
#: The certificate is the site's own business, here that of a new authority. OpenSSL's two strongest curves are not
#: among Mozilla's, since few clients have them, not since they are weak.
EXPECTED = {"certificate_path_validation", "maximum_certificate_lifespan", "tls_curves"}
EXTRA_CURVES = {"X448", "secp521r1"}
#: The findings that are "OK".
CHECKS = (
    "Compression disabled",
    "Not vulnerable to OpenSSL CCS injection",
    "Not vulnerable to Heartbleed",
    "Not vulnerable, RSA cipher suites not supported",
    r"TLS_FALLBACK_SCSV: +OK - Supported",
    r"Client Renegotiation DoS Attack: +OK - Not vulnerable",
    r"Secure Renegotiation: +OK - Supported",
    r"Forward Secrecy +OK - Supported",
    r"Legacy RC4 Algorithm +OK - Not Supported",
)


@pytest.fixture(scope="module")
def scanner() -> list[str]:
    """The command of the scanner; the test is skipped if it cannot be installed here."""
    PLACE.mkdir(parents=True, exist_ok=True)
    environment, built = PLACE / "environment", PLACE / "built"
    # Several processes of tests may want it at once.
    with (PLACE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists() or built.read_text() != SCANNER:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
            install = [str(environment / "bin" / "pip"), "install", "--quiet", SCANNER]
            done = subprocess.run(install, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{SCANNER} cannot be installed: {done.stderr[-200:]}")
            built.write_text(SCANNER)
    return [str(environment / "bin" / "python"), "-W", "ignore", "-m", "sslyze"]


@pytest.mark.parametrize("scanned", ["gevent", "tornado"])
def test_the_grade(scanned: str, scanner: list[str], tmp_path: Path) -> None:
    site = LiveSite(tmp_path / "site", scanned)
    with site.start() as server:
        done = subprocess.run(
            [*scanner, "--mozilla_config", "intermediate", f"localhost:{site.port}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert "COMPLIANCE AGAINST" in done.stdout, done.stderr
        findings = done.stdout.partition("COMPLIANCE AGAINST")[2]
        names = {line.split()[1].rstrip(":") for line in findings.splitlines() if line.strip().startswith("* ")}
        assert names <= EXPECTED, findings
        curves = re.search(r"TLS curves (\{.*\}) are supported, but should be rejected", findings)
        assert curves is not None
        assert ast.literal_eval(curves[1]) <= EXTRA_CURVES
        for check in CHECKS:
            assert re.search(check, done.stdout), check
        assert "VULNERABLE" not in done.stdout
        assert "Traceback" not in server.log_text()
        assert site.client("plain").call("ping") == []
