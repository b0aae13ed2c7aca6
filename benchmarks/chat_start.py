"""The chat as it comes out of the box, from the first start on, compared with transformers' `generate`.

The built-in chat model with `--runtime auto` and the settings of `nlpkit chat`, in a cache without its
export. It times the command's first word; replies by torch while the export is made; replies by the export
and by `generate` in turns, in one process on the same prompts and threads; and the command's first word once
the export is there.

Example: python -m benchmarks.chat_start --threads 2 --rounds 3
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.chat_turns import GENERATE, Times
from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import NlpkitError, RunError
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.runtimes import AUTO, FAST
from nlpkit.generation.sampling import Sampling
from nlpkit.prompts.build import build_prompt
from nlpkit.run import BUILT_IN_CHAT_MODEL
from nlpkit.sources import cache_folder

PROMPTS = (
    "Hello! Who are you, and what can you do?",
    "I have two free days next week and a bicycle. Help me to plan a trip.",
    "Explain to a child why the sky is blue.",
    "Tell me a story about a lighthouse keeper and a lost ship.",
    "My order came late and the box was open. Write a short complaint for me.",
)

MEANWHILE = "torch, while the export is made"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What one reply took."""

    method: str
    prompt: int
    first_seconds: float
    """To the first token."""
    tokens: int
    seconds: float
    """In all."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What `nlpkit chat` took from its start to the first word of a reply."""

    method: str
    seconds: float


@contextmanager
def fresh_cache() -> Iterator[None]:
    """Work in a cache that holds the fetched sources and no exports."""
    known = cache_folder()
    sources = [folder for folder in known.glob("*") if (folder / "manifest.json").is_file()]
    before = os.environ.get("NLPKIT_CACHE")
    with tempfile.TemporaryDirectory() as name:
        for folder in sources:
            (Path(name) / folder.name).symlink_to(folder, target_is_directory=True)
        os.environ["NLPKIT_CACHE"] = name
        try:
            yield
        finally:
            if before is None:
                del os.environ["NLPKIT_CACHE"]
            else:
                os.environ["NLPKIT_CACHE"] = before


def first_word(method: str, run: str, threads: int) -> Start:
    """Time `nlpkit chat` from its start to its first word, and end it.

    Raises:
        RunError: no word came.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "chat.sqlite")
        options = ("--store", store, "--threads", str(threads), "--classifier", "none")
        began = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "nlpkit", "chat", run, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        ) as process:  # fmt: skip
            if process.stdin is None or process.stdout is None:
                raise ValueError("the process has no pipes")
            process.stdin.write(f"{PROMPTS[0]}\n".encode())
            word = process.stdout.read(1)
            seconds = time.perf_counter() - began
            process.kill()
    if not word:
        raise RunError("nlpkit chat: no word came; its message stands above")
    return Start(method=method, seconds=seconds)


def conversation(prompt: int) -> Conversation:
    """Return the conversation that begins with a prompt."""
    return Conversation(turns=(Turn(role="user", text=PROMPTS[prompt]),))


def bot_reply(method: str, bot: Chatbot, prompt: int, sampling: Sampling) -> Reply:
    """Time a reply of the chat model."""
    # Nothing of an earlier reply to the same prompt is cached
    answer = bot.stream(conversation(prompt), sampling=sampling, session=uuid.uuid4().hex)
    for _ in answer:
        pass
    if answer.usage is None:
        raise RunError(f"{method}: the reply has no usage")
    return Reply(
        method=method,
        prompt=prompt,
        first_seconds=answer.usage.first_token_seconds,
        tokens=answer.usage.new_tokens,
        seconds=answer.usage.seconds,
    )


def generate_reply(language: LanguageModel, prompt: int, sampling: Sampling) -> Reply:
    """Time a reply of transformers' `generate` with the same settings."""
    import torch

    token_budget = language.window - sampling.max_new_tokens
    task, tokenizer = language.task, language.tokenizer
    asked = torch.tensor([build_prompt(task.with_system(conversation(prompt)), tokenizer, token_budget).ids])
    if sampling.seed is not None:
        torch.manual_seed(sampling.seed)
    times = Times()
    with torch.inference_mode():
        language.model.generate(
            input_ids=asked,
            attention_mask=torch.ones_like(asked),
            max_new_tokens=sampling.max_new_tokens,
            do_sample=True,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            repetition_penalty=sampling.repetition_penalty,
            streamer=times,
            eos_token_id=sorted(language.template.stops),
            pad_token_id=0,
        )
    at = times.at[1:]  # the first is the prompt's
    return Reply(method=GENERATE, prompt=prompt, first_seconds=at[0], tokens=len(at), seconds=at[-1])


def replies_of(run: str, *, threads: int, rounds: int, tokens: int | None) -> Iterator[Reply]:
    """Yield replies by torch until the export is there, then by the export and by `generate` in turns.

    Raises:
        RunError: there is no export.
    """
    limits = {} if tokens is None else {"max_new_tokens": tokens}
    with_seed = [Sampling(seed=number, **limits) for number in range(rounds)]
    bot = Chatbot.load(run, runtime=AUTO, threads=threads)
    try:
        number = 0
        while bot.export and str(bot.export) and not bot.export.failure:
            reply = bot_reply(MEANWHILE, bot, number % len(PROMPTS), with_seed[0])
            if bot.runtime == "torch":  # else it came while the runtime changed
                yield reply
            number += 1
        if bot.runtime != FAST:
            raise RunError(f"no export: {bot.runs_on}; hint: pip install 'nlpkit[onnx]'")
        language = LanguageModel.load(run, threads=threads)
        for number, sampling in enumerate((with_seed[0], *with_seed)):
            for prompt in range(len(PROMPTS)):
                pair = (bot_reply(FAST, bot, prompt, sampling), generate_reply(language, prompt, sampling))
                if number:  # the first round warms both up
                    yield from pair
    finally:
        bot.close()


def tokens_per_second(replies: Sequence[Reply]) -> float:
    """Return the tokens after the first one of all replies, divided by their seconds."""
    seconds = sum(reply.seconds - reply.first_seconds for reply in replies)
    return sum(reply.tokens - 1 for reply in replies) / seconds if seconds > 0 else 0.0


def summary(starts: Sequence[Start], replies: Sequence[Reply]) -> list[str]:
    """Return the lines of both tables."""
    methods = {
        name: [reply for reply in replies if reply.method == name]
        for name in dict.fromkeys(reply.method for reply in replies)
    }
    plain = tokens_per_second(methods[GENERATE])
    rows = []
    for name, mine in methods.items():
        speed = tokens_per_second(mine)
        first = statistics.median(reply.first_seconds for reply in mine)
        rows.append((name, len(mine), f"{first:.2f}", f"{speed:.1f}", f"{speed / plain:.1f}"))
    return [
        *table(
            ("`nlpkit chat`", "Start to first word, s"),
            [(start.method, f"{start.seconds:.1f}") for start in starts],
        ),
        "",
        *table(("Method", "Replies", "First token, s", "Tokens/s", "Times generate"), rows),
    ]


def bench(
    run: str, *, threads: int, rounds: int, tokens: int | None, results: Path, talk: Callable[[str], None]
) -> None:
    """Measure, and write chat-start.json and chat-start.md.

    Raises:
        NlpkitError: there is no export, or no reply.
    """
    import torch

    torch.set_num_threads(threads)
    machine = Machine()
    with fresh_cache():
        starts = [first_word("no export yet", run, threads)]
        began = time.perf_counter()
        replies = []
        for reply in replies_of(run, threads=threads, rounds=rounds, tokens=tokens):
            replies.append(reply)
            talk(f"{time.perf_counter() - began:6.1f} s  {reply.method}: {reply.tokens} tokens")
        starts.append(first_word("with its export", run, threads))
    record = {
        "threads": threads,
        "starts": [asdict(start) for start in starts],
        "replies": [asdict(reply) for reply in replies],
    }
    lines = summary(starts, replies)
    title = f"The chat out of the box, {threads} threads"
    talk(save(results, "chat-start", record, title=title, machine=machine, lines=lines))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--run", default=BUILT_IN_CHAT_MODEL, help="a dialogue run; default: the built-in chat model"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, help="new tokens of a reply at most; default: as in the chat")
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder for the results")
    args = parser.parse_args(arguments)
    try:
        bench(
            args.run,
            threads=args.threads,
            rounds=args.rounds,
            tokens=args.tokens,
            results=args.results,
            talk=print,
        )
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
