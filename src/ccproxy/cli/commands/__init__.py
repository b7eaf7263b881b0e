"""The commands of `ccproxy`: one module or package each, named after it, that defines `command` (a click
command or group).

The first line of a module's docstring is the command's line in `ccproxy --help`. Modules are imported only when their
command is invoked, so a module may import what it needs at its top, except that anything slow belongs inside functions
when `ccproxy COMMAND --help` does not need it.
"""
