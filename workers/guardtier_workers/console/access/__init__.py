"""Who is there: sessions and credentials of requests, what protects them, and signing in."""
