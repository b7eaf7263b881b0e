"""Small helpers on the standard library alone."""
