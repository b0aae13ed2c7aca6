"""Addresses of OpenAI-compatible servers."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def endpoint(address: str, path: str) -> str:
    """Return the address of one service. A query, such as an API's version, stays at the end."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


def public_address(address: str) -> str:
    """Return the address without a password and a query."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
