"""``python -m guardtier_workers.cli``: the same as ``guardtier``."""

from guardtier_workers.cli import main

main()
