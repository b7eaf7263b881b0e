"""The flow store: every exchange, recorded in one SQLite file."""
