from __future__ import annotations

import sys
from pathlib import Path

# The rig is shared with the gateway's own tests.
sys.path.insert(0, str(Path(__file__).parent.parent / "gateway"))
