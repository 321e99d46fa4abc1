"""The contract of cores: each test runs against a real server process with each core of the table, or with one core.

pytest --pyargs geventcore.testing.contract --geventcore-core site_core:SiteCore
"""
