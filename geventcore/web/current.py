"""The services of the application that answers the current request."""

from __future__ import annotations

from typing import cast

from flask import current_app

from geventcore.web.services import Services

#: The key of the services among the extensions of the application.
KEY = "geventcore"
THEMES = ("auto", "light", "dark")


def services() -> Services:
    """Return the services of the current application."""
    return cast(Services, current_app.extensions[KEY])
