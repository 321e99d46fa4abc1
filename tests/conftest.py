"""Fixtures that tests of several directories use."""

from tests.support.postgresql import postgresql as postgresql
