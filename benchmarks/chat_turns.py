"""Time an answer and the turn after it: of transformers' `generate`, and of a chat model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import NlpkitError
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.sampling import Sampling
from nlpkit.prompts.build import build_prompt

GENERATE = "transformers generate"
QUESTION = "Tell me a long story about a lighthouse keeper and a lost ship."
SENTENCE = "On day {} the wind came from the west and the keeper wrote the names of all ships into a book. "


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What one answer took."""

    method: str
    round: int
    first_seconds: float
    """To the first token of the answer, with nothing cached."""
    tokens_per_second: float
    """Of all further tokens."""
    cpu_seconds: float
    """Of all threads, for each further token: a measure that other work on the machine disturbs less."""
    second_seconds: float
    """To the first token of the second turn, which repeats all of the first."""
    second_cold_seconds: float
    """The same second turn in a session with nothing cached."""
    ids: tuple[int, ...]
    """Of the first answer, greedy."""


def opening(history: int, tokenizer: Any) -> Conversation:
    """Build a conversation whose first turn has about `history` tokens."""
    text, day = QUESTION, 0
    while len(tokenizer(text)["input_ids"]) < history:
        day += 1
        text = SENTENCE.format(day) + text
    return Conversation(turns=(Turn(role="user", text=text),))


def follow_up(conversation: Conversation, reply: str) -> Conversation:
    """Add the reply and a second question to a conversation."""
    turns = (Turn(role="assistant", text=reply.strip() or "..."), Turn(role="user", text="And then?"))
    return Conversation(turns=conversation.turns + turns)


class Times:
    """The time of each token; a streamer for transformers' `generate`."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.at: list[float] = []
        self.cpu: list[float] = []

    def put(self, _: Any) -> None:
        """Record the time of the prompt, then of each token."""
        self.at.append(time.perf_counter() - self.began)
        self.cpu.append(time.process_time())

    @property
    def cpu_a_token(self) -> float:
        """CPU seconds for each token, from the first new token to the last."""
        return (self.cpu[-1] - self.cpu[1]) / (len(self.cpu) - 2)

    def end(self) -> None:
        """Do nothing at the end; the streamer protocol asks for the method."""


def generated(language: LanguageModel, conversation: Conversation, tokens: int) -> tuple[list[int], Times]:
    """Return the greedy answer of plain `generate`, and when each token came."""
    import torch

    asked = torch.tensor([build_prompt(conversation, language.tokenizer, language.window - tokens).ids])
    times = Times()
    with torch.inference_mode():
        made = language.model.generate(
            input_ids=asked,
            attention_mask=torch.ones_like(asked),
            max_new_tokens=tokens,
            do_sample=False,
            streamer=times,
            eos_token_id=sorted(language.template.stops),
            pad_token_id=0,
        )
    return made[0, asked.shape[1] :].tolist(), times


def plain_turn(language: LanguageModel, conversation: Conversation, number: int, tokens: int) -> Timing:
    """Time one round of plain `generate`, which caches nothing between turns."""
    ids, times = generated(language, conversation, tokens)
    at = times.at[1:]
    _, second = generated(
        language, follow_up(conversation, language.tokenizer.decode(ids, skip_special_tokens=True)), 1
    )
    return Timing(
        method=GENERATE,
        round=number,
        first_seconds=at[0],
        tokens_per_second=(len(at) - 1) / (at[-1] - at[0]),
        cpu_seconds=times.cpu_a_token,
        second_seconds=second.at[1],
        second_cold_seconds=second.at[1],
        ids=tuple(ids),
    )


def bot_turn(name: str, bot: Chatbot, conversation: Conversation, number: int, tokens: int) -> Timing:
    """Time one round of a chat model."""
    greedy = Sampling(temperature=0.0, repetition_penalty=1.0, max_new_tokens=tokens)
    session = f"{name}-{number}"
    answer = bot.stream(conversation, sampling=greedy, session=session)
    text = next(answer)
    cpu = time.process_time()
    text += "".join(answer)
    cpu = time.process_time() - cpu
    first_token_only = greedy.model_copy(update={"max_new_tokens": 1})
    later = bot.stream(follow_up(conversation, text), sampling=first_token_only, session=session)
    list(later)
    cold = bot.stream(follow_up(conversation, text), sampling=first_token_only, session=f"{session}-cold")
    list(cold)
    if answer.usage is None or later.usage is None or cold.usage is None:
        raise NlpkitError(f"{name}: the answer has no usage")
    ids = bot.profile.tokenizer(text, add_special_tokens=False)["input_ids"]
    return Timing(
        method=name,
        round=number,
        first_seconds=answer.usage.first_token_seconds,
        tokens_per_second=(answer.usage.new_tokens - 1)
        / (answer.usage.seconds - answer.usage.first_token_seconds),
        cpu_seconds=cpu / (answer.usage.new_tokens - 1),
        second_seconds=later.usage.first_token_seconds,
        second_cold_seconds=cold.usage.first_token_seconds,
        ids=tuple(ids),
    )
