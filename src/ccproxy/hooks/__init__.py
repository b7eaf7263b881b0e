"""What a hook is written with, and beside it the built-in hooks: a module each, whose hook has the module's name."""

from ccproxy.pipeline.context import HookContext
from ccproxy.pipeline.hook import Hook, hook

__all__ = ["Hook", "HookContext", "hook"]
