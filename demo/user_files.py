"""With a login, keeps each user's files in a folder of their own, out of which Gradio reads for no one else.

Gradio has one folder for the uploads and downloads of all, and lets every user read all of it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import HTTPConnection

from demo.guard import ASGIApp, Receive, Scope, Send

_USER: ContextVar[str | None] = ContextVar("user", default=None)


class UserFiles:
    """An ASGI layer that gives users only their own files. Without a login it does nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        user = _user_of(scope) if scope["type"] == "http" else None
        if user is not None:
            # An upload's progress tells the file's name
            query = parse_qsl(scope["query_string"], keep_blank_values=True)
            mark = _folder_name(user).encode()
            own = [(name, mark + value if name == b"upload_id" else value) for name, value in query]
            scope = {**scope, "query_string": urlencode(own).encode()}
        with _acting_for(user):
            await self.app(scope, receive, send)


def keep_files_apart() -> None:
    """Let Gradio read and write a user's files in their folder only: uploads, downloads, inputs of events."""
    import gradio.processing_utils
    import gradio.routes
    import gradio.utils
    from gradio.blocks import Block, Blocks

    gradio_folder, process = gradio.utils.get_upload_folder, Blocks.process_api
    if hasattr(process, "__wrapped__"):
        return

    def own_folder(*_: object) -> str:
        return str(Path(gradio_folder()) / _folder_name(_USER.get()))

    @functools.wraps(process)  # which also marks it as done
    async def process_for_user(self: Any, *args: Any, request: Any = None, **kwargs: Any) -> Any:
        with _acting_for(getattr(request, "username", None)):
            return await process(self, *args, request=request, **kwargs)

    Blocks.process_api = process_for_user
    gradio.utils.get_upload_folder = own_folder
    gradio.processing_utils.get_upload_folder = own_folder
    # Both read the folder once and keep it
    gradio.routes.App.uploaded_file_dir = property(own_folder, lambda *_: None)
    Block.GRADIO_CACHE = property(own_folder, lambda *_: None)


@contextmanager
def _acting_for(user: str | None) -> Iterator[None]:
    token = _USER.set(user)
    try:
        yield
    finally:
        _USER.reset(token)


def _user_of(scope: Scope) -> str | None:
    """Return who logged in, found as Gradio finds them."""
    app, cookies = scope["app"], HTTPConnection(scope).cookies
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    user: str | None = app.tokens.get(cookies.get(names[0]) or cookies.get(names[1]))
    return user


def _folder_name(user: str | None) -> str:
    # Hashed because a name may be `..`; no folder lies in another
    return "everyone" if user is None else f"user-{hashlib.sha256(user.encode()).hexdigest()}"
