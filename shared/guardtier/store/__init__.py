"""The only place that knows Redis: its keys, its scripts, its connections.

``keys.py`` spells every key, ``scripts/*.lua`` holds every state change (one rule a file),
``ledger.py`` calls them by name, ``records.py`` reads, ``upkeep.py`` registers fleets and trims,
``pipe.py`` sends what many callers ask in few round trips, ``connection.py`` opens connections.
"""
