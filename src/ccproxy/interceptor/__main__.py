"""`python -m ccproxy.interceptor FD`: the interceptor process, started by `supervisor.py`."""

from __future__ import annotations

import sys

from ccproxy.interceptor.process import main

if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
