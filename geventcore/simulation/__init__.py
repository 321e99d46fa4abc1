"""Simulated clients: whole runs of many clients against a server, measured.

load            which clients call, what they do in a run, and when
probes          the probes that a client is given, and plausible results
observation     the configuration as a client sees it, and the statistics that it reports
deviations      hosts that are not as they should be
report_history  reports of a fleet with a history
answers         an HTTP answer, read cheaply
conversation    the requests of a run, and the answers that clients accept
engine          the event loop that makes the calls
records         every call, in a few bytes
load_processes  the processes of a load, from beginning to end
load_worker     one of them
sampler         memory, descriptors and processor time of the server's processes
measurement     everything that was measured, in numbers
report_text     a measurement on a terminal
report_page     a measurement in a browser
charts          the geometry of the page's charts
repository      a generated repository of any size
test_bed        a server on a copy of such a repository
"""

from geventcore.simulation.engine import make_runs
from geventcore.simulation.load import Load, LoadError, Pace, RetryPolicy, RunPlan, SimulatedClient, Target
from geventcore.simulation.records import LoadResult

__all__ = [
    "Load",
    "LoadError",
    "LoadResult",
    "Pace",
    "RetryPolicy",
    "RunPlan",
    "SimulatedClient",
    "Target",
    "make_runs",
]
