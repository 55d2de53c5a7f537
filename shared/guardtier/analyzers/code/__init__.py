"""Rates code in other languages: Python (``python.py``) and SQL (``sql.py``).

``data/*.toml`` say what calls and statements do; ``rules.py`` has the fields. ``fold.py`` tells what
an expression comes to, ``names.py`` what a name may stand for, ``rate.py`` what a call then does.
"""

from guardtier.analyzers.code.python import PythonSecurityAnalyzer
from guardtier.analyzers.code.sql import SqlSecurityAnalyzer

__all__ = ["PythonSecurityAnalyzer", "SqlSecurityAnalyzer"]
