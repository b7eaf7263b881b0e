"""The gateway: the listener that clients are pointed at."""
