"""How the tier is: its workers and queues as they are now, and what the audit streams count up to."""
