"""Logging in and out, and the colours."""

from __future__ import annotations

import logging

from flask import Blueprint, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import TooManyRequests

from geventcore.web.current import THEMES, services
from geventcore.web.environment import PEER

log = logging.getLogger(__name__)

page = Blueprint("session", __name__)

_YEAR_SECONDS = 31_536_000


def _safe(target: str) -> str:
    """Return an address of this server: the given one, or that of the first page."""
    is_here = target.startswith("/") and not target.startswith(("//", "/\\")) and not set(target) & set("\r\n\\")
    return target if is_here else url_for("fleet.index")


@page.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """Begin a session."""
    target = _safe(request.values.get("next", ""))
    if g.caller is not None and request.method == "GET":
        return redirect(target)
    error = ""
    if request.method == "POST":
        peer = request.environ.get(PEER, "")
        access = services().access
        if access.must_wait(peer):
            raise TooManyRequests("There were too many wrong passwords from this address. Wait a minute.")
        content = access.log_in(request.form.get("user", "")[:100], request.form.get("password", "")[:1000], peer)
        if content is not None:
            session.clear()
            session.permanent = True
            session.update(content)
            return redirect(target)
        error = "The user or the password is wrong."
    return render_template("login.html", error=error, next=target), 401 if error else 200


@page.post("/logout")
def logout() -> ResponseReturnValue:
    """End the session."""
    log.info("%s logged out", g.caller)
    session.clear()
    return redirect(url_for("session.login"))


@page.post("/theme")
def theme() -> ResponseReturnValue:
    """Choose the colours."""
    wanted = request.form.get("theme", "auto")
    response = redirect(_safe(request.form.get("back", "")))
    if wanted in THEMES:
        response.set_cookie(
            "theme", wanted, max_age=_YEAR_SECONDS, samesite="Strict", httponly=True, secure=request.is_secure
        )
    return response
