"""The bench: ccproxy's budgets, measured beside a bare relay and a bare mitmproxy in one run. See README.md."""
