"""What rates an action. One analyzer, or one family of threats, a file.

``base.py`` is what a new analyzer inherits from, ``signatures.py`` the example to copy,
``ensemble.py`` runs them together, ``registry.py`` finds them by name or dotted path. Pure: nothing
here knows Redis or a worker.
"""

from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.claim import LLMSecurityAnalyzer
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.analyzers.noop import NoOpSecurityAnalyzer
from guardtier.analyzers.signatures import SignatureAnalyzer

__all__ = [
    "EnsembleSecurityAnalyzer",
    "LLMSecurityAnalyzer",
    "NoOpSecurityAnalyzer",
    "SecurityAnalyzer",
    "SignatureAnalyzer",
]
