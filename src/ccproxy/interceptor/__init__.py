"""The interceptor: mitmproxy in a process of its own, for clients whose traffic is caught instead of addressed to us."""
