"""Helpers of a site's plugins."""

from Bcfg2.Compat import b64encode


def encoded(text):
    return b64encode(text)
