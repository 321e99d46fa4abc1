"""Bcfg2 1.3.4 from PyPI, client and server, run as they are in environments of their own: what tests and benchmarks
talk to and compare with. Nothing here needs pytest.

* `environment`: the interpreters, and the virtual environments built for them
* `sites`: a `bcfg2.conf` and a set of temporary directories for one client or one server
* `client`, `server`: running them
* `certificates`: the files of a certificate authority
"""
