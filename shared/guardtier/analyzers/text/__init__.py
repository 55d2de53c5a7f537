"""What can be told from text alone: patterns, rails, secrets, injected instructions, hidden characters.

``fields.py`` gives the strings of an action, ``normal.py`` folds what only looks like ASCII,
``re2set.py`` searches for many patterns in one pass; the rules are data (``data/*.toml``).
"""

from guardtier.analyzers.text.injection import InjectionAnalyzer
from guardtier.analyzers.text.patterns import PatternSecurityAnalyzer
from guardtier.analyzers.text.rails import PolicyRailSecurityAnalyzer
from guardtier.analyzers.text.secrets import SecretsAnalyzer

__all__ = [
    "InjectionAnalyzer",
    "PatternSecurityAnalyzer",
    "PolicyRailSecurityAnalyzer",
    "SecretsAnalyzer",
]
