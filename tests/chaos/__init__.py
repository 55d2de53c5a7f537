"""Faults with load running: what clients were told is checked against what the tier wrote down."""
