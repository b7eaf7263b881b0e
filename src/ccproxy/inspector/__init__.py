"""The inspector: a web page of this machine that shows what was recorded, and what runs now."""
