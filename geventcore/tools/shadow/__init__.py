"""A comparison of what a running Bcfg2 server gives its clients with what this program would give them.

meaning      what a client does not tell apart, such as the modes 644 and 0644
comparison   the differences between two answers for a host
outcome      the results of all hosts: the verdict, kinds of differences, hosts with the same ones
asking       asks the other server for a host, as the host itself would
forwarding   a port that answers from the other server, for what clients ask themselves
report       text, JSON and a page
"""

from geventcore.tools.shadow.asking import OldServer, Shadow
from geventcore.tools.shadow.forwarding import Forwarder
from geventcore.tools.shadow.outcome import Outcome
from geventcore.tools.shadow.report import FORMATS

__all__ = ["FORMATS", "Forwarder", "OldServer", "Outcome", "Shadow"]
