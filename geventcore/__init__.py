"""geventcore: a configuration-management server for Bcfg2 repositories and clients.

Importing the package starts nothing and patches nothing. The packages, lowest first, are listed in
``docs/design``: a package imports only from the rows below its own.
"""

__version__ = "0.1.0"
