"""The dialects, one folder each. A folder defines `DIALECT`; `registry` finds it."""
