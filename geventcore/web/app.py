"""The Flask application: pages, API, and what is the same for every request.

Every answer has a strict Content-Security-Policy: scripts and styles come from this server only, and nothing in a page
is executed. Requests that change something need a token against forgery (Flask-WTF).
"""

from __future__ import annotations

import logging
import secrets
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

import geventcore
from geventcore.errors import DatabaseMisconfigured, DatabaseUnavailable, SchemaMismatch, StorageError
from geventcore.repository.durable_writes import make_directories, write_durably
from geventcore.web import access, texts
from geventcore.web.api import api
from geventcore.web.current import KEY, THEMES, services
from geventcore.web.database import NoReportsYet
from geventcore.web.environment import IS_LOCAL, OWN_ADDRESS, PEER
from geventcore.web.fleet import State
from geventcore.web.pages import PAGES
from geventcore.web.services import Services
from geventcore.wire.host_names import canonical, is_expected

log = logging.getLogger(__name__)

#: The longest body of a request, in bytes: a form with a short text.
BODY_BYTES = 64 * 1024
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: Endpoints that need no login.
OPEN_ENDPOINTS = frozenset({"static", "session.login", "session.theme", "health"})


def create_app(given: Services, hosts: tuple[str, ...] = ()) -> Flask:
    """Make the application; `hosts` are further names by which browsers may ask for it."""
    app = Flask("geventcore.web")
    app.extensions[KEY] = given
    app.config.update(
        SECRET_KEY=_secret(given.secret_file),
        MAX_CONTENT_LENGTH=BODY_BYTES,
        SESSION_COOKIE_NAME="geventcore_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=given.session_hours),
        WTF_CSRF_TIME_LIMIT=None,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    app.session_interface = _Sessions()
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    CSRFProtect(app)
    names = frozenset(canonical(name) for name in (*hosts, socket.gethostname(), socket.getfqdn()))
    app.before_request(lambda: _check_host(names))
    app.before_request(_check_access)
    app.after_request(_add_headers)
    app.context_processor(_page_values)
    for name in ("age_text", "duration_text", "number_text", "percent_text", "size_text"):
        app.jinja_env.filters[name.removesuffix("_text")] = getattr(texts, name)
    app.jinja_env.filters["moment"] = lambda value: texts.time_text(value, given.zone)
    app.jinja_env.filters["iso"] = lambda value: texts.iso_text(value, given.zone)
    app.register_error_handler(StorageError, _storage_failed)
    app.register_error_handler(CSRFError, _forged)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, _failed)
    app.add_url_rule("/healthz", "health", lambda: Response("ok\n", mimetype="text/plain"))
    for page in PAGES:
        app.register_blueprint(page)
    app.register_blueprint(api)
    return app


def _secret(path: Path | None) -> bytes:
    """Return the key that signs sessions; without a file, or one that can be neither read nor made, a new one."""
    if path is None:
        return secrets.token_bytes(32)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    except OSError as err:
        log.warning("%s: cannot be read: %s; sessions end when this program ends", path, err.strerror)
        return secrets.token_bytes(32)
    made = secrets.token_bytes(32)
    try:
        make_directories(path.parent)
        write_durably(path, made, 0o600)
        path.chmod(0o600)
    except OSError as err:
        log.warning("%s: cannot be written: %s; sessions end when this program ends", path, err.strerror)
    return made


# -- every request


def _check_host(names: frozenset[str]) -> ResponseReturnValue | None:
    own = request.environ.get(OWN_ADDRESS, "127.0.0.1")
    # A browser cannot connect to a UNIX socket by itself.
    if own and not is_expected(request.headers.get("Host"), own, names):
        return Response(
            "This server is not known by this name. Add the name to [web] hosts in bcfg2.conf.\n",
            421,
            mimetype="text/plain",
        )
    return None


def _check_access() -> ResponseReturnValue | None:
    environ = request.environ
    asked = access.Request(environ.get(PEER, ""), bool(environ.get(IS_LOCAL, False)), request.headers, session)
    g.caller = services().access.identify(asked)
    if g.caller is not None or request.endpoint in OPEN_ENDPOINTS:
        return None
    if request.path.startswith("/api/"):
        return {"error": "log in first"}, 401
    if request.method != "GET":
        return redirect(url_for("session.login"))
    return redirect(url_for("session.login", next=request.full_path.rstrip("?")))


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


class _Sessions(SecureCookieSessionInterface):
    """Signed sessions, whose cookies browsers send with TLS only if they came with TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        # The header may be forged, but only by the browser that the cookie is for.
        return request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"


def _page_values() -> dict[str, Any]:
    theme = request.cookies.get("theme", "auto")
    return {
        "caller": getattr(g, "caller", None),
        "theme": theme if theme in THEMES else "auto",
        "version": geventcore.__version__,
        "State": State,
        "is_demo": services().is_demo,
        "query": request.args.get("q", ""),
    }


# -- errors


def wants_json() -> bool:
    """Return whether a program asks."""
    return request.path.startswith("/api/")


def _error_page(status: int, title: str, text: str, command: str = "", detail: str = "") -> ResponseReturnValue:
    if wants_json():
        return {"error": f"{title}: {text}" if text else title, "detail": detail}, status
    values = {"title": title, "text": text, "command": command, "detail": detail, "status": status}
    return render_template("error.html", **values), status


def _storage_failed(err: StorageError) -> ResponseReturnValue:
    if isinstance(err, NoReportsYet):
        if wants_json():
            return {"error": "there are no reports yet", "detail": str(err)}, 503
        return render_template("no_reports.html", detail=str(err)), 200
    if isinstance(err, SchemaMismatch):
        command = str(err).rpartition("run: ")[2] if "run: " in str(err) else ""
        return _error_page(503, "The database has the tables of another version", "", command, str(err))
    if isinstance(err, DatabaseMisconfigured):
        text = "Check the section [database] of bcfg2.conf, and try it with the command below."
        return _error_page(503, "The database refuses this program", text, "geventcore db check", str(err))
    if isinstance(err, DatabaseUnavailable):
        text = (
            "Clients are still served, and their reports wait on the server until the database is back. "
            "Reload this page then."
        )
        return _error_page(503, "The database cannot be reached", text, "geventcore db check", str(err))
    log.error("the database failed for %s: %s", request.path, err)
    return _error_page(503, "The database failed", "The log has more.", "geventcore db check", str(err))


def _forged(err: CSRFError) -> ResponseReturnValue:
    log.warning("request refused: %s %s: %s", request.method, request.path, err.description)
    text = "Go back, reload the page and try again. The form may be older than your session."
    return _error_page(400, "The form is not valid any more", text)


def _refused(err: HTTPException) -> ResponseReturnValue:
    titles = {404: "There is no such page", 405: "That does not work here", 413: "The request is too large"}
    code = err.code or 500
    if code < 400:
        return err.get_response()
    return _error_page(code, titles.get(code, err.name), "" if code == 405 else err.description or "")


def _failed(err: Exception) -> ResponseReturnValue:
    # A boundary: no error of a page may reach the browser as a traceback.
    log.error("the page %s failed: %s", request.path, err, exc_info=err)
    return _error_page(500, "This page has failed", "That is an error of geventcore; its log has the details.")
