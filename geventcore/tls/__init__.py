"""TLS by pyOpenSSL: the only package that knows OpenSSL.

Importing it does not import OpenSSL, so that whoever only names a peer's identity needs none.
"""
