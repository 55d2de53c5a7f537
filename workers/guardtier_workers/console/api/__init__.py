"""The JSON API under ``/api/v1``. ``endpoint.py`` says what an endpoint is; each other file has a family.

To add an endpoint: an ``Endpoint`` in the ``ENDPOINTS`` of a file here, and the file in ``api/routes.py``.
"""
