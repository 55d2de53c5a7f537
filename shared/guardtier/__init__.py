"""guardtier: the guard tier that a fleet of AI agents shares.

The model (``risk.py``, ``action.py``, ``assessment.py``, ``verdict.py``, ``answer.py``) is pure; on it
stand ``analyzers/`` and ``policy/``; ``store/`` is the only place that knows Redis; ``client.py``,
``approver.py`` and ``blocking.py`` are what agents and people use. The daemons are in
``guardtier_workers``.
"""

from guardtier.action import ActionEvent, ToolAnnotations
from guardtier.approver import ApproverClient
from guardtier.approver_answers import Draft
from guardtier.assessment import Assessment, ChildVote, Finding
from guardtier.blocking import BlockingGuardClient
from guardtier.client import GuardClient, Pending, Status
from guardtier.errors import GuardtierError, GuardTimeout, Halted, TierUnavailable, TurnedAway
from guardtier.policy.edit import Revised
from guardtier.policy.tally import Counted
from guardtier.risk import SecurityRisk
from guardtier.state import State
from guardtier.verdict import Outcome, Verdict

__all__ = [
    "ActionEvent",
    "ApproverClient",
    "Assessment",
    "BlockingGuardClient",
    "ChildVote",
    "Counted",
    "Draft",
    "Finding",
    "GuardClient",
    "GuardTimeout",
    "GuardtierError",
    "Halted",
    "Outcome",
    "Pending",
    "Revised",
    "SecurityRisk",
    "State",
    "Status",
    "TierUnavailable",
    "ToolAnnotations",
    "TurnedAway",
    "Verdict",
]
