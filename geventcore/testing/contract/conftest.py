"""The fixtures of the contract."""

from geventcore.testing.contract.servers import core as core
from geventcore.testing.contract.servers import new_site as new_site
from geventcore.testing.contract.servers import pytest_generate_tests as pytest_generate_tests
