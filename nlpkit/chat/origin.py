"""Whether a page of another website sent a request: browsers say so, and no page can make them lie."""

from __future__ import annotations

from collections.abc import Mapping

READING = frozenset({"GET", "HEAD"})
"""Methods that change nothing; their answers can't be read by a page of another site."""


def is_foreign(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a browser sent a request for a page of another website, or of another port.

    Programs send no such headers. Behind a proxy that changes the host, the name that the browser used is
    that of `Sec-Fetch-Site` or `X-Forwarded-Host`, neither of which a page can set without being asked.

    Args:
        headers: by their names in lower case.
    """
    if site := headers.get(b"sec-fetch-site"):
        return site not in (b"same-origin", b"none")
    origin = headers.get(b"origin")
    if origin is None:
        return False
    host = origin.partition(b"://")[2].lower()
    known = (headers.get(name, b"").lower() for name in (b"host", b"x-forwarded-host"))
    return not host or host not in known
