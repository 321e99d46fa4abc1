"""A server core to learn from, written from the page development/core of the documentation and nothing else.

``[server] core = contrib.example_core.prethreaded:PrethreadedCore`` serves with it, if this directory's parent's parent
can be imported from.
"""
