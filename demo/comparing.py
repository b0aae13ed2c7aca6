"""Two replies to one message, in the conversation where the reply stands; the chosen one goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from demo.chat_parts import components
from demo.markup import bubble
from demo.message_tools import facts_page
from demo.replies import FOLLOWING, Replies
from demo.view import WAITING, Updates, View, note, owner_of, showing_errors
from nlpkit.chat.messages import Chat
from nlpkit.errors import DataError

CHOOSE = "Two replies to your last message. Choose the one to go on with."
TO_BOX = "() => document.querySelector('#box textarea')?.focus()"


class Comparing:
    """Handlers that show two replies to one message, and save which one is chosen."""

    def __init__(self, view: View, replies: Replies) -> None:
        self.view, self.replies, self.talk = view, replies, view.talk

    def wire(self) -> None:
        """Bind the handlers to the components."""
        talk, side = self.talk, self.view.side
        every: dict[str, Any] = {
            "outputs": components(self.view.listed, talk, side),
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        settings = [talk.seen, side.run, side.system, side.sentiment_on, *side.sampling]
        talk.compare.click(self.compare, [talk.box, side.other_run, *settings], **every, **FOLLOWING)
        for button, choose in ((talk.pick_first, self.choose_first), (talk.pick_second, self.choose_second)):
            button.click(choose, [talk.chat, talk.pair], **every).then(None, js=TO_BOX)

    def compare(
        self,
        request: gr.Request,
        text: str,
        other_run: str,
        seen: str,
        run: str,
        system: str,
        sentiment: bool,
        *controls: Any,
    ) -> Iterator[Updates]:
        """Show a second reply to the last message, or to the one in the box, to choose from."""
        owner, chat_id = owner_of(request), seen.partition(" ")[0]
        if text.strip():
            for updates in self.replies.say(request, text, chat_id, run, system, sentiment, *controls):
                chat_id, seen = updates.get(self.talk.chat, chat_id), updates.get(self.talk.seen, seen)
                yield updates
        with showing_errors():
            chat = self.view.read(self.view.unchanged(seen, owner), owner) if seen else None
            if chat is None or not chat.messages or chat.messages[-1].role != "assistant":
                raise DataError("there is no reply yet to compare with; hint: write a message first")
            sampling = self.replies.check(controls, request)
            if sampling.seed is not None:
                # The same seed would give the same reply
                sampling = sampling.model_copy(update={"seed": sampling.seed + 1})
            chat_model = self.view.pool.answering(other_run)
            names = (self._name(chat), self.view.pool.about(other_run))
            running = self.view.running.retry(owner, chat.id, sampling, chat_model)
            with self.replies.following(request) as follower:
                yield self._pair(chat, WAITING, names) | {self.talk.status: ""} | self.view.busy(True)
                for reply in running.growing(follower.left):
                    yield {self.talk.chatbot: _bubbles(chat, reply)}
            if follower.left.is_set():
                return
            after = self.view.whole(chat.id, owner, note=note(running.error))
            first, last = chat.messages[-1], self.view.store.read(chat.id, owner).messages[-1]
            if last.role == "assistant" and last.id != first.id:
                names = (names[0], self.view.pool.about(other_run))  # now it is loaded
                after |= self._pair(chat, last.text, names, is_over=True)
                after |= {
                    self.talk.pair: f"{first.id} {last.id}",
                    self.talk.status: CHOOSE,
                    self.talk.suggestions: "",
                }
            yield after
            return
        yield from self.replies.now(request, chat_id)

    def choose_first(self, chat_id: str, pair: str, request: gr.Request) -> Updates:
        """Choose the first of two replies."""
        return self._choose(chat_id, pair.split()[:2], request)

    def choose_second(self, chat_id: str, pair: str, request: gr.Request) -> Updates:
        """Choose the second of two replies."""
        return self._choose(chat_id, pair.split()[1::-1], request)

    def _choose(self, chat_id: str, pair: list[str], request: gr.Request) -> Updates:
        owner = owner_of(request)
        with showing_errors():
            chosen, rejected = (*pair, "", "")[:2]
            self.view.session.choose(chat_id, owner, chosen, rejected)
            gr.Info("Your choice is saved.", duration=3)
        return self.view.whole(chat_id, owner)

    def _name(self, chat: Chat) -> str:
        """Return the name of the chat model of the last reply, with its base and runtime if it is loaded."""
        replied = chat.messages[-1].chat_model
        return self.view.pool.about(replied if replied in self.view.pool.names else chat.run) or replied

    def _pair(self, chat: Chat, reply: str, names: tuple[str, str], *, is_over: bool = False) -> Updates:
        """Show the conversation with two replies at its end, each with the name of its chat model."""
        facts: list[dict[str, object]] = [
            {"role": message.role, "name": "", "versions": 1} for message in chat.messages[:-1]
        ]
        for name, choice in zip(names, ("first", "second"), strict=True):
            facts.append(
                {"role": "assistant", "name": name, "versions": 1, "choice": choice, "isOver": is_over}
            )
        texts = [(message.role, message.text) for message in chat.messages]
        return {
            self.talk.chatbot: _bubbles(chat, reply),
            self.talk.facts: facts_page(facts, [*texts, ("assistant", reply)]),
        }


def _bubbles(chat: Chat, reply: str) -> Any:
    messages = [bubble(message.role, message.text) for message in chat.messages]
    return gr.update(value=[*messages, bubble("assistant", reply)], feedback_value=None)
