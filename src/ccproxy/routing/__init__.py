"""Which dialect a client speaks, and where its request goes."""
