"""Remembered approvals at work: drafted when one is given, looked up when an action would be parked.

``policy/grants.py`` is the model, ``store/grants.py`` where they are kept. What reads commands is imported
only where there is one to be read: a policy worker without such grants stays as light as it was.
"""
