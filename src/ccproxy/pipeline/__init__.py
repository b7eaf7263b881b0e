"""The hook pipeline: what a hook is, what it sees, in which order hooks run, and how they are found."""

from ccproxy.pipeline.context import HookContext
from ccproxy.pipeline.hook import Hook, hook

__all__ = ["Hook", "HookContext", "hook"]
