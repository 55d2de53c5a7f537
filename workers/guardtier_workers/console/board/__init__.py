"""The confirmation set in memory, as it changes: what the inbox shows, and what open pages are told."""
