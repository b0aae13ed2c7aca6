"""Serve a page of Gradio: to whom, how much may be sent, and nothing to other servers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from demo.guard import LOOPBACK, DemoLimits

SWITCHES = {
    "run_history": False, "footer_links": ["api"], "state_session_capacity": 256, "strict_cors": True,
    "ssr_mode": False, "pwa": False, "enable_monitoring": False, "show_error": False, "quiet": True,
    "inbrowser": False, "prevent_thread_lock": True, "_frontend": False,
}  # fmt: skip
"""The same for every page.

Without `_frontend` Gradio does not ask its own page whether it is there: where many clients wait for a demo
to be started again, the answer comes too late, and it would end.
"""


def quiet_gradio(folder: Path) -> None:
    """Switch off Gradio's requests to other servers and set its folder, before it is imported."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def serve(
    page: Any,
    *,
    host: str,
    port: int,
    limits: DemoLimits,
    check: Any = None,
    mcp: bool = False,
    block: bool = True,
    script: str | None = None,
) -> tuple[str, Any]:
    """Serve the page, and return its address and the app; with `block` only after the server has ended.

    `script` is JavaScript that runs when the page opens; without it, that of the chat. `mcp` also offers the
    endpoints as tools to programs that speak MCP.
    """
    from demo.drafts import DRAFTS
    from demo.focus import FOCUS
    from demo.gradio_limits import free_port, set_limits
    from demo.guard import Guard
    from demo.keyboard import HELP, KEYS
    from demo.page_script import COVERS, SETUP
    from demo.theme import CSS, theme
    from demo.user_files import UserFiles, keep_files_apart
    from demo.web_app import HEAD, ICON, WebApp

    script = f"{COVERS}{KEYS}{FOCUS}{HELP}{DRAFTS}" if script is None else script
    set_limits()
    keep_files_apart()
    hosts = LOOPBACK if host in LOOPBACK else ()
    # Layers as Starlette unpacks them: class, arguments, named arguments
    guard = (Guard, (), {"body": limits.body_bytes, "upload": limits.upload_bytes + 100_000, "hosts": hosts})
    app, address, _ = page.launch(
        server_name=host,
        server_port=port or free_port(host),
        share=False,
        allowed_paths=[],
        auth=check,
        max_file_size=limits.upload_bytes,
        mcp_server=mcp,
        theme=theme(),
        css="".join(file.read_text(encoding="utf-8") for file in CSS),
        js=f"{SETUP}{script}}}",
        head=HEAD,
        favicon_path=ICON,
        app_kwargs={
            "middleware": [guard, (WebApp, (), {}), (UserFiles, (), {})],
            "docs_url": None,
            "redoc_url": None,
        },
        **SWITCHES,
    )
    print(f"nlpkit is at {address}", flush=True)
    if block:
        page.block_thread()
    return address, app
