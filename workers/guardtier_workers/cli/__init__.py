"""The command line. One command, or a family of them, a file:

``up.py`` (with ``stack.py``, what it runs), ``work.py``, ``submit.py``, ``pending.py``, ``show.py``,
``answer.py`` (approve, reject), ``watch.py``, ``check.py`` (with ``rating.py``: offline, and the
``--jsonl`` contract), ``doctor.py`` (with ``checkup.py``), ``listing.py`` (url, version), ``analyzers.py``,
``fleet.py``, ``approver.py``, ``policy.py`` (with ``policy_standing.py``, the file at run time; offline
``policy_file.py``; ``policy_replay.py``), ``edit.py``, ``grants.py`` (with ``remember.py``),
``channel.py``, ``trace.py``.

What they share: ``app.py`` puts them together, ``entry.py`` runs them and tells errors, ``exits.py``
has the exit codes, ``options.py`` the options, ``tier.py`` finds the tier, ``state.py`` is the directory
in which ``up`` leaves word, ``output.py`` prints, ``safe_text.py`` makes what agents wrote safe to print.
"""

from guardtier_workers.cli.entry import main

__all__ = ["main"]
