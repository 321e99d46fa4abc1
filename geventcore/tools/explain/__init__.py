"""Explanations of a host's configuration: where each value comes from, and why other candidates lost.

`explain` is the one call for everybody, see `geventcore.tools.explain.model` for what it returns.
"""

from geventcore.tools.explain.asking import Question, explain
from geventcore.tools.explain.model import Absence, BundlePath, EntryExplanation, Explanation, GroupPath, Step, Value

__all__ = [
    "Absence",
    "BundlePath",
    "EntryExplanation",
    "Explanation",
    "GroupPath",
    "Question",
    "Step",
    "Value",
    "explain",
]
