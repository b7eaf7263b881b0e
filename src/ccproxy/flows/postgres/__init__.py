"""The flow store of a team: a PostgreSQL database to which several proxies write."""
