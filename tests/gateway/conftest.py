from __future__ import annotations

import sys
from pathlib import Path

# The rig is shared by the tests of this folder and is no package of the product.
sys.path.insert(0, str(Path(__file__).parent))
