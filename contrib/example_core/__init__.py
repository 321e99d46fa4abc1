"""A server core to learn from, written from the page development/core of the documentation and nothing else.

With ``core = contrib.example_core.prethreaded:PrethreadedCore`` in the section ``[server]``, a server that is started
in the root of the source tree as ``python -m geventcore server`` serves with it.
"""
