"""Notices: people are told where they are that an action waits for them.

``plan.py`` says which notices an action's terms call for, ``queue.py`` has them as deferred arq jobs, one
queue a channel, and ``jobs.py`` does those: it looks whether the action still waits, has it shown by
``rendering.py``, and hands it to ``channels.py`` (``http.py``, ``addresses.py``, ``signing.py``,
``mail.py``).
"""
