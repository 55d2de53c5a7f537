"""The audit trail outside of Redis: exported to files and a database, and verified (docs/audit.md)."""
