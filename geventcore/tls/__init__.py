"""TLS by pyOpenSSL: the only package that knows OpenSSL.

Importing this package does not import OpenSSL. Code that only uses a peer's identity does not need it.
"""
