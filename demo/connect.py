"""Connect your own model: the fields for a server, and what they do."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from demo.sampling_controls import sampling_of
from demo.servers import Server, Servers
from demo.view import Updates, View, owner_of, plain, visitor_of
from nlpkit.errors import NlpkitError
from nlpkit.generation.addresses import split_address
from nlpkit.generation.remote import list_models

if TYPE_CHECKING:
    from collections.abc import Sequence

ABOUT = (
    "Any server that speaks OpenAI's chat protocol: nlpkit serve, vLLM, Ollama, llama.cpp, or a service. "
    "Your conversation is sent to it."
)

MAX_NAMES = 1000
"""Names of models that are listed to choose from."""


class Connect:
    """The fields for a server, and their handlers."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers

    def lay_out(self) -> None:
        """Lay out the fields."""
        with gr.Accordion("Connect your own model", open=False, elem_id="connect"):
            gr.HTML(f'<p class="quiet">{escape(ABOUT)}</p>', padding=False)
            self.address = gr.Textbox(
                label="Address of the server",
                placeholder="http://localhost:8000/v1",
                max_length=2000,
                elem_id="connect-address",
            )
            self.key = gr.Textbox(
                label="Key",
                info="If it needs one. It stays with the demo's server and is shown nowhere",
                type="password",
                max_length=2000,
                elem_id="connect-key",
            )
            self.model = gr.Dropdown(
                [], label="Its models", visible=False, allow_custom_value=True, elem_id="connect-model"
            )
            self.connect = gr.Button("Connect", variant="primary", elem_id="connect-button")
            self.about = gr.HTML("", padding=False, elem_id="connect-about", elem_classes="quiet")
            with gr.Column(visible=False, elem_id="connected") as self.row:
                self.connected = gr.Dropdown([], label="Connected", elem_id="connected-names")
                self.disconnect = gr.Button("Disconnect", elem_id="disconnect")

    def wire(self, view: View, page: Any) -> None:
        """Bind the handlers to the components."""
        self.view = view
        talk, side = view.talk, view.side
        own = [self.address, self.key, self.model, self.about, self.row, self.connected]
        every: dict[str, Any] = {
            "outputs": [*own, side.run, side.other_run, side.context, side.sampling[4]],
            "api_visibility": "private",
            "show_progress": "hidden",
        }
        fields = [talk.chat, self.address, self.key, self.model, *side.sampling]
        for trigger in (self.connect.click, self.address.submit, self.key.submit):
            trigger(self.add, fields, trigger_mode="once", **every)
        self.model.input(self.choose, fields, trigger_mode="once", **every)
        self.address.input(self.changed, None, [self.model, self.about], **_quiet())
        self.disconnect.click(self.remove, [talk.chat, self.connected, side.run], **every)
        page.load(self.known, None, [self.row, self.connected], **_quiet())

    def add(
        self, request: gr.Request, chat_id: str, address: str, key: str, model: str | None, *controls: Any
    ) -> Updates:
        """Connect a server: its only model, the named one, or else list its models to choose from."""
        try:
            self.view.rate.take(visitor_of(request))
            sampling = sampling_of(*controls)
            address, named = split_address(address)
            model = (model or named or "").strip()
            if not model:
                names = list_models(address, key.strip() or None)
                if len(names) != 1:
                    return self._choice(names)
                model = names[0]
            server = Server(address=address, model=model, key=key.strip())
            self.servers.connect(server)
            if chat_id:
                self.view.store.set_run(chat_id, owner_of(request), server.name)
            chat = self.view.read(chat_id, owner_of(request))
            return {
                **self.known(),
                **self._models(server.name),
                self.address: "",
                self.key: "",
                self.model: gr.update(visible=False, choices=[], value=None),
                self.about: _line(f"Connected. {server.name} answers from now on."),
                self.view.side.context: self.view.context(chat, server.name),
                self.view.side.sampling[4]: self.view.length(server.name, sampling),
            }
        except NlpkitError as error:
            return {self.about: _line(plain(error))}

    def choose(
        self, request: gr.Request, chat_id: str, address: str, key: str, model: str | None, *controls: Any
    ) -> Updates:
        """Connect the chosen model; a list that is left without a choice connects nothing."""
        return self.add(request, chat_id, address, key, model, *controls) if model else {}

    def changed(self) -> Updates:
        """Forget the models of another address."""
        return {self.model: gr.update(visible=False, choices=[], value=None), self.about: ""}

    def remove(self, request: gr.Request, chat_id: str, name: str | None, run: str) -> Updates:
        """Forget a server and its key; its conversations and replies stay."""
        try:
            self.servers.disconnect(name or "")
            chosen = self.view.pool.name_of(run)
            chat = self.view.read(chat_id, owner_of(request))
            return {
                **self.known(),
                **self._models(chosen),
                self.about: _line(f"{name} is disconnected."),
                self.view.side.context: self.view.context(chat, chosen),
            }
        except NlpkitError as error:
            return {self.about: _line(plain(error))}

    def known(self) -> Updates:
        """Show the servers that are connected."""
        names = self.servers.saved
        value = names[0] if names else None
        return {
            self.row: gr.update(visible=bool(names)),
            self.connected: gr.update(choices=names, value=value),
        }

    def _choice(self, names: Sequence[str]) -> Updates:
        has = f"It has {len(names):,} models: choose one, or" if names else "It lists no model:"
        choice = gr.update(visible=True, choices=list(names[:MAX_NAMES]), value=None)
        return {self.model: choice, self.about: _line(f"{has} type its name.")}

    def _models(self, chosen: str) -> Updates:
        names, side = self.view.pool.names, self.view.side
        return {
            side.run: gr.update(choices=names, value=chosen, interactive=len(names) > 1),
            side.other_run: gr.update(choices=names, visible=len(names) > 1),
        }


def _line(words: str) -> str:
    return f'<p role="status">{escape(words)}</p>'


def _quiet() -> dict[str, Any]:
    return {"api_visibility": "private", "show_progress": "hidden"}
