"""Providers: the endpoints and habits of those who answer. One file per kind of provider."""
