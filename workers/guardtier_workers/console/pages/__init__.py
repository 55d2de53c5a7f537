"""The HTML pages, one a file; their templates are in ``templates/``."""
