"""Look at recorded flows, compare them, and write them for other tools.

One module for each command. What they share, how a set of flows is chosen above all, is `ccproxy.cli.flowset`.
"""

from ccproxy.cli.commands.flows._group import command

__all__ = ["command"]
