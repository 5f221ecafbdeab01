"""A Hub for each test."""

from tests.hub.fixtures import _no_proxies, api, hub

__all__ = ["_no_proxies", "api", "hub"]
