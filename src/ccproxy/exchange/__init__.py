"""The per-request state: HTTP values, the route, the exchange itself."""
