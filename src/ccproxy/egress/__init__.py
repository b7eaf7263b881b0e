"""The only way out: everything that talks to providers."""
