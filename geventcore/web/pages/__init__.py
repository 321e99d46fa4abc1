"""The pages: a Flask blueprint in each module."""

from geventcore.web.pages.entries import page as entries_page
from geventcore.web.pages.fleet import page as fleet_page
from geventcore.web.pages.hosts import page as hosts_page
from geventcore.web.pages.live import page as live_page
from geventcore.web.pages.search import page as search_page
from geventcore.web.pages.session import page as session_page

PAGES = (fleet_page, hosts_page, entries_page, live_page, search_page, session_page)
