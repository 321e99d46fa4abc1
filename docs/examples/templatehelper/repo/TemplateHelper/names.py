"""Names as people read them."""

__export__ = ["short_name"]
__default__ = ["site"]

site = "Example Inc."


def short_name(metadata):
    """The name of a host without its domain."""
    return metadata.hostname.partition(".")[0]
