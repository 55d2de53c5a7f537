"""What an answer will do, what could be remembered of it, and why one did not count, in words."""
