"""Simulated clients: many client runs against a server, as real clients make them, with every call measured.

connection   one TLS connection for one exchange of bytes
calls        one XML-RPC call with its retries
observation  what a client would report of a configuration
client_run   the calls of one run, in order, and when it gives up
fleet        many clients: who starts when
result       what happened, and its summary
"""

from geventcore.fleet.calls import Attempt, CallFailed, CallPolicy
from geventcore.fleet.client_run import ClientRun, Identity, RunPlan, RunResult
from geventcore.fleet.connection import Target
from geventcore.fleet.fleet import Fleet, Schedule
from geventcore.fleet.result import FleetResult, FleetSummary, MethodSummary

__all__ = [
    "Attempt",
    "CallFailed",
    "CallPolicy",
    "ClientRun",
    "Fleet",
    "FleetResult",
    "FleetSummary",
    "Identity",
    "MethodSummary",
    "RunPlan",
    "RunResult",
    "Schedule",
    "Target",
]
