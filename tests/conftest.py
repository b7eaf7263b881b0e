"""What holds for every test: the examples of property tests are the same in every run. To hunt with new ones:
`HYPOTHESIS_PROFILE=hunt make unit`."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("hunt", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
