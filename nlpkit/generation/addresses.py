"""Addresses of OpenAI-compatible servers."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from nlpkit.errors import ConfigError

SCHEMES = ("http://", "https://")


def is_address(name: str) -> bool:
    """Return whether the name of a chat model is an address."""
    return name.startswith(SCHEMES)


def split_address(address: str) -> tuple[str, str | None]:
    """Return the address and the model after its `#`, if it names one: `http://localhost:8000/v1#NAME`.

    Raises:
        ConfigError: it is no address.
    """
    address = address.strip()
    try:
        parts = urlsplit(address)
        is_valid = is_address(address) and bool(parts.hostname) and parts.port != 0 and address.isprintable()
    except ValueError:  # of the port, or of brackets
        is_valid = False
    if not is_valid or " " in address:
        raise ConfigError(
            f"the address {address!r:.100}: expected one such as http://localhost:8000/v1; "
            "hint: begin with http:// or https://"
        )
    return urlunsplit(parts._replace(fragment="")), parts.fragment or None


def endpoint(address: str, path: str) -> str:
    """Return the address of one service. A query, such as an API's version, stays at the end."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


def public_address(address: str) -> str:
    """Return the address without a password and a query."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
