"""One contract for all: each test of this directory runs against a real server process with each core of the table."""

from geventcore.testing.contract.servers import core as core
from geventcore.testing.contract.servers import new_site as new_site
from geventcore.testing.contract.servers import pytest_generate_tests as pytest_generate_tests
