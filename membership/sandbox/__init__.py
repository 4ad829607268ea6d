"""Three real HTTP servers that speak the contracts of the remotes: for tests, the demo and rehearsals.

They hold state, keep a journal of all requests, show faults on demand, and know nothing of the panel.
"""

from membership.sandbox.faults import Fault
from membership.sandbox.sandbox import Sandbox

__all__ = ["Fault", "Sandbox"]
