"""The built-in hooks: a module each, whose hook has the module's name."""
