"""Speed of the chat compared with transformers' `generate`, and what quantized weights lose.

Both get the same weights, prompts and threads, and take turns.

Example: python -m benchmarks.chat --threads 2 --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.chat_quality import lines, quality, scored
from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import NlpkitError
from nlpkit.generation.chatbot import WINDOW, Chatbot, ChatProfile
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.runtimes import RUNTIMES
from nlpkit.generation.sampling import Sampling
from nlpkit.generation.torch_decoder import TorchDecoder
from nlpkit.models.bases import find_base
from nlpkit.models.pretrained import load_language_model, load_tokenizer, window_of
from nlpkit.prompts.build import build_prompt
from nlpkit.tasks.dialogue import Dialogue

BASE = "smollm2-135m"
"""What answers without --run."""

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


def load(run: str | None, runtimes: Sequence[str], threads: int) -> tuple[LanguageModel, dict[str, Chatbot]]:
    """Load the model for `generate`, and a chat model for each runtime; torch shares its weights."""
    if run is None:
        folder, _ = find_base(BASE)
        tokenizer = load_tokenizer(folder)
        window = min(WINDOW, window_of(folder, tokenizer))
        language = LanguageModel(
            load_language_model(folder), tokenizer, Dialogue(), window=window, threads=threads, name=BASE
        )
    else:
        language = LanguageModel.load(run, threads=threads)
    profile = ChatProfile(
        tokenizer=language.tokenizer, task=language.task, window=language.window, name=language.name
    )
    bots: dict[str, Chatbot] = {}
    for runtime in runtimes:
        if runtime == "torch":
            bots[runtime] = Chatbot(profile, TorchDecoder(language.model, threads=threads))
        else:
            bots[runtime] = (
                Chatbot.default(BASE, runtime=runtime, threads=threads)
                if run is None
                else Chatbot.load(run, runtime=runtime, threads=threads)
            )
    return language, bots


def agreement(timings: Sequence[Timing], method: str) -> int:
    """Count the tokens that a method's answer shares with `generate`'s before they differ."""
    plain = next(timing.ids for timing in timings if timing.method == GENERATE)
    ours = next(timing.ids for timing in timings if timing.method == method)
    return next(
        (index for index, (a, b) in enumerate(zip(plain, ours, strict=False)) if a != b),
        min(len(plain), len(ours)),
    )


def summary(timings: Sequence[Timing]) -> list[str]:
    """Return the lines of the table of speeds."""
    rows = []
    for method in dict.fromkeys(timing.method for timing in timings):
        generate = {timing.round: timing for timing in timings if timing.method == GENERATE}
        pairs = [(timing, generate[timing.round]) for timing in timings if timing.method == method]
        ratio = statistics.median(
            timing.tokens_per_second / plain.tokens_per_second for timing, plain in pairs
        )
        cpu = statistics.median(plain.cpu_seconds / timing.cpu_seconds for timing, plain in pairs)
        kept = statistics.median(timing.second_seconds / timing.second_cold_seconds for timing, _ in pairs)
        speed = statistics.median(timing.tokens_per_second for timing, _ in pairs)
        first = statistics.median(timing.first_seconds for timing, _ in pairs)
        second = statistics.median(timing.second_seconds for timing, _ in pairs)
        equal = f"{agreement(timings, method)} of {len(pairs[0][1].ids)}"
        rows.append(
            (
                method,
                f"{speed:.1f}",
                f"{ratio:.2f}",
                f"{cpu:.2f}",
                f"{first:.2f}",
                f"{second:.2f}",
                f"{kept:.2f}",
                equal,
            )
        )
    head = (
        "Method",
        "Tokens/s",
        "Times generate",
        "by CPU",
        "First token, s",
        "Second turn, s",
        "of cold",
        "Equal tokens",
    )
    return table(head, rows)


def _measure(
    language: LanguageModel,
    bots: dict[str, Chatbot],
    conversation: Conversation,
    *,
    rounds: int,
    tokens: int,
    talking: Callable[[str], None],
) -> list[Timing]:
    methods: list[Callable[[int, int], Timing]] = [partial(plain_turn, language, conversation)]
    methods += [partial(bot_turn, name, bot, conversation) for name, bot in bots.items()]
    for take in methods:
        take(-1, 4)  # the first answer warms up
    timings = []
    for number in range(rounds):
        for take in methods if number % 2 == 0 else reversed(methods):
            timings.append(timing := take(number, tokens))
            talking(
                f"round {number + 1} of {rounds}: {timing.method}: {timing.tokens_per_second:.1f} tokens/s, "
                f"{timing.cpu_seconds:.3f} CPU s a token"
            )
    return timings


def bench(
    run: str | None,
    *,
    runtimes: Sequence[str],
    threads: int,
    rounds: int,
    tokens: int,
    history: int,
    text: int,
    replies: int,
    source: str,
    results: Path,
    talking: Callable[[str], None],
) -> None:
    """Measure in turns, print and write the results."""
    import torch

    torch.set_num_threads(threads)
    machine = Machine()
    language, bots = load(run, runtimes, threads)
    conversation = opening(history, language.tokenizer)
    timings = _measure(language, bots, conversation, rounds=rounds, tokens=tokens, talking=talking)
    lost = (
        quality(bots, language, source=source, tokens=text, replies=replies, talking=talking)
        if text and replies
        else {}
    )
    scores = {
        name: {key: scored(key, outcomes).model_dump() for key, outcomes in measures.items()}
        for name, measures in lost.items()
    }
    record = {
        "threads": threads,
        "history": history,
        "answers": [asdict(timing) for timing in timings],
        "quality": scores,
    }
    page = [*summary(timings), "", *(lines(lost) if lost else [])]
    talking(
        save(
            results,
            "chat",
            record,
            title="The chat compared with transformers' generate",
            machine=machine,
            lines=page,
        )
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", help="a dialogue run; default: smollm2-135m as it is")
    parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES, default=list(RUNTIMES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64, help="new tokens of an answer")
    parser.add_argument("--history", type=int, default=500, help="tokens of the prompt, about")
    parser.add_argument(
        "--text",
        type=int,
        default=4000,
        help="tokens of held-out conversations for the perplexity; 0: measure no quality",
    )
    parser.add_argument(
        "--replies", type=int, default=50, help="how many of their turns each runtime replies to; 0: none"
    )
    parser.add_argument("--source", default="chitchat", help="the source of the held-out conversations")
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder for the results")
    args = parser.parse_args(arguments)
    try:
        bench(
            args.run,
            runtimes=args.runtimes,
            threads=args.threads,
            rounds=args.rounds,
            tokens=args.tokens,
            history=args.history,
            text=args.text,
            replies=args.replies,
            source=args.source,
            results=args.results,
            talking=print,
        )
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
