"""The configuration: one file, checked whole, with errors that name the line."""
