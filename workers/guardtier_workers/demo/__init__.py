"""What ``guardtier up --demo`` shows: ``actions.jsonl`` has the calls, ``run.py`` sends them, ``stage.py`` prints."""
