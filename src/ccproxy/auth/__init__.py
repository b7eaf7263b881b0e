"""Credential sources: where a provider's secret comes from."""
