"""The provider types: one file each, found by `ccproxy.providers.registry`."""
