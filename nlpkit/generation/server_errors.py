"""What a server does instead of answering, in plain words that name it and say what to do."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

from nlpkit.errors import SourceError
from nlpkit.generation.addresses import public_address
from nlpkit.generation.completion import OverloadedError

if TYPE_CHECKING:
    import httpx2

MAX_BYTES = 4_000_000
"""Of an answer that is no stream; a server that sends more is broken."""

MAX_SECONDS = 20.0
"""For the whole of such an answer."""

MAX_WORDS = 200
"""Characters of a server's own words that an error quotes."""

REMOTE_KEY = "NLPKIT_REMOTE_KEY"
"""The environment variable with the key for a model at an address."""

KEY_HINT = f"set the key that the server expects: in {REMOTE_KEY}, or where the demo connects a server"

HINTS = {
    401: KEY_HINT,
    403: KEY_HINT,
    404: "check the name of the model, and that the address ends as the server's guide says, often in /v1",
}


class ServerError(SourceError):
    """A server cannot be reached, refuses, or answers something else than a reply."""


class ServerBusyError(ServerError, OverloadedError):
    """A server has too much to do, or accepts no more requests of this key just now."""


def unreachable(address: str, error: Exception) -> ServerError:
    """Return the error of a server with which no connection was made."""
    import httpx2

    if isinstance(error, httpx2.TimeoutException):
        return ServerError(
            f"{address}: no answer in time; hint: check that the server runs, or try again in a moment"
        )
    reason = re.sub(r"\[Errno -?\d+\] ", "", _line(str(error)))
    return ServerError(
        f"{address}: cannot be reached: {reason}; hint: start the server, or check its address"
    )


def refusal(response: httpx2.Response, address: str) -> ServerError:
    """Return the error of an answer with a status other than 200, and close it."""
    import httpx2

    status = response.status_code
    try:
        text = read_text(response)
    except (httpx2.HTTPError, ValueError):
        text = ""
    finally:
        response.close()
    words = _words(text)
    if status in (429, 503):
        return ServerBusyError(
            f"{address}: the server is overloaded ({status}): {words}; hint: try again in a moment"
        )
    if is_page(response, text):
        words = "a web page"
    if response.is_redirect:
        words = f"it has moved to {_location(response)}"
    moved = "use that address" if response.is_redirect else ""
    hint = moved or HINTS.get(status, "the log of the server may tell more" if status >= 500 else "")
    return ServerError(f"{address}: the server answered {status}: {words}{f'; hint: {hint}' if hint else ''}")


def not_a_reply(address: str, text: str) -> ServerError:
    """Return the error of an answer that is none of OpenAI's protocol."""
    if _begins_as_page(text):
        return ServerError(
            f"{address}: answered with a web page instead of a reply; "
            "hint: check the address; that of an API often ends in /v1"
        )
    return ServerError(f"{address}: not an OpenAI-compatible reply: {_words(text)}; hint: check the address")


def hidden(error: ServerError, key: str | None) -> ServerError:
    """Return the error without the key, which some servers repeat."""
    # A shorter one is no secret, and may be a part of any word
    return type(error)(str(error).replace(key, "***")) if key and len(key) >= 8 else error


def is_page(response: httpx2.Response, text: str = "") -> bool:
    """Return whether an answer is a page for people."""
    return response.headers.get("content-type", "").startswith("text/html") or _begins_as_page(text)


def read_text(response: httpx2.Response) -> str:
    """Return the text of an answer, within limits of size and time.

    Raises:
        ValueError: it exceeds them.
    """
    data, deadline = bytearray(), time.monotonic() + MAX_SECONDS
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > MAX_BYTES or time.monotonic() > deadline:
            raise ValueError("the answer does not end")
    return data.decode(errors="replace")


def _location(response: httpx2.Response) -> str:
    """Return where a redirect leads, without secrets; it is not followed, as it would get the key."""
    try:
        return _line(public_address(response.headers.get("location", ""))) or "nowhere"
    except ValueError:
        return "an invalid address"


def _begins_as_page(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").lower().startswith(("<!doctype", "<html", "<head", "<body"))


def _words(text: str) -> str:
    """Return what an answer says: the message of an error in the usual shapes, or its beginning."""
    try:
        answer = json.loads(text)
        while isinstance(answer, dict):
            answer = next(value for key in ("error", "message", "detail") if (value := answer.get(key)))
    except (ValueError, StopIteration, RecursionError):
        answer = text
    return _line(answer if isinstance(answer, str) else text) or "nothing"


def _line(text: str) -> str:
    return " ".join(text.split())[:MAX_WORDS]
