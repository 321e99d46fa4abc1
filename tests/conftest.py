"""Fixtures that tests of several directories use."""

from tests.support.mariadb import mariadb as mariadb
from tests.support.postgresql import postgresql as postgresql
