"""The comparison of two states of a site: what a change does to each host, before it is live.

model      changes, and the hosts that have them
sides      the two states: a directory, a git revision, a directory of saved configurations, the running server
trees      directories for revisions, and the files that come from the live repository
reach      the hosts that a change can touch
secrets    values that are not shown
changes    the differences of two documents
comparing  the comparison of all hosts
"""

from geventcore.tools.diff.comparing import Request, compare_sides
from geventcore.tools.diff.model import Change, Comparison, as_json

__all__ = ["Change", "Comparison", "Request", "as_json", "compare_sides"]
