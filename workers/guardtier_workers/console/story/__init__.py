"""What has happened: decided actions, the whole story of one, conversations, and figures over time.

All of it is read from the audit streams, the records and the histories; nothing is written.
"""
