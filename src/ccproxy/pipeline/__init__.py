"""The hook pipeline: what a hook is, what it sees, in which order hooks run, and how they are found."""
