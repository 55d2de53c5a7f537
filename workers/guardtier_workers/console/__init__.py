"""The ops console: a page on which people see what waits, understand it and answer it, and its JSON API.

``serve.py`` listens; ``app.py`` puts the routes together; ``console.py`` is what they share.
``access/`` says who is there; ``board/`` has the confirmation set in memory, and tells open pages what
changes; ``story/`` what has happened; ``show/`` makes untrusted text fit to be shown; ``api/`` is
everything under ``/api/v1``, one family of endpoints a file; ``pages/`` the HTML, with ``templates/`` and
``static/``.

It decides nothing: what people answer is signed with their own key and judged by the policy workers.
"""
