"""Bcfg2 repositories for tests and benchmarks, valid for 1.3.4's server as well as for ours.

* `sample`: a small one whose entries a real client can install below a temporary directory
* `generate`: one of any size, the same at every call with the same parameters
"""
