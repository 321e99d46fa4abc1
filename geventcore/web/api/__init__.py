"""The read-only JSON API, version 1: the same tables as the pages, as JSON or CSV.

resources     the addresses
description   the description of the API (OpenAPI 3.1)
"""

from geventcore.web.api.resources import api

__all__ = ["api"]
