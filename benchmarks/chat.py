"""Speed of the chat compared with transformers' `generate`, and what quantized weights lose.

Both get the same weights, prompts and threads, and take turns.

Example: python -m benchmarks.chat --threads 2 --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.chat_quality import lines, quality, scored
from benchmarks.chat_turns import GENERATE, Timing, bot_turn, opening, plain_turn
from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.data.examples import Conversation
from nlpkit.errors import NlpkitError
from nlpkit.generation.chatbot import WINDOW, Chatbot, ChatProfile
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.runtimes import RUNTIMES
from nlpkit.generation.torch_decoder import TorchDecoder
from nlpkit.models.bases import find_base
from nlpkit.models.pretrained import load_language_model, load_tokenizer, window_of
from nlpkit.tasks.dialogue import Dialogue

BASE = "smollm2-135m"
"""What answers without --run."""


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
