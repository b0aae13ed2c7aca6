"""How fast the chat is beside transformers' `generate`: the same weights, prompts and threads, in turns; and what quantised weights lose.

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
from nlpkit.generation.chatbot import DEFAULT, WINDOW, Chatbot, ChatProfile
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.runtimes import RUNTIMES
from nlpkit.generation.sampling import Sampling
from nlpkit.generation.torch_decoder import TorchDecoder
from nlpkit.models.pretrained import find_base, load_language_model, load_tokenizer, window_of
from nlpkit.prompts.build import build_prompt
from nlpkit.tasks.dialogue import Dialogue

GENERATE = "transformers generate"
QUESTION = "Tell me a long story about a lighthouse keeper and a lost ship."
SENTENCE = "On day {} the wind came from the west and the keeper wrote the names of all ships into a book. "


@dataclass(frozen=True, kw_only=True)
class Took:
    """One answer."""

    method: str
    round: int
    first_seconds: float
    """To the first token of an answer to a cold prompt."""
    tokens_per_second: float
    """Of all further tokens."""
    cpu_seconds: float
    """Of all threads, a further token: what is left of the speed when other work disturbs."""
    second_seconds: float
    """To the first token of the second turn, which repeats all of the first."""
    second_cold_seconds: float
    """The same second turn, asked by someone of whom nothing is kept."""
    ids: tuple[int, ...]
    """Of the first answer, greedy."""


def talk(history: int, tokenizer: Any) -> Conversation:
    """A first turn of about so many tokens."""
    text, day = QUESTION, 0
    while len(tokenizer(text)["input_ids"]) < history:
        day += 1
        text = SENTENCE.format(day) + text
    return Conversation(turns=(Turn(role="user", text=text),))


def then(conversation: Conversation, said: str) -> Conversation:
    """The second turn."""
    turns = (Turn(role="assistant", text=said.strip() or "..."), Turn(role="user", text="And then?"))
    return Conversation(turns=conversation.turns + turns)


class Times:
    """Notes when each token comes, as transformers' streamers are told of them."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.at: list[float] = []
        self.cpu: list[float] = []

    def put(self, _: Any) -> None:
        """The prompt first, then each token."""
        self.at.append(time.perf_counter() - self.began)
        self.cpu.append(time.process_time())

    @property
    def cpu_a_token(self) -> float:
        """CPU seconds from the first new token to the last, a token."""
        return (self.cpu[-1] - self.cpu[1]) / (len(self.cpu) - 2)

    def end(self) -> None:
        """Nothing more comes."""


def generated(language: LanguageModel, conversation: Conversation, tokens: int) -> tuple[list[int], Times]:
    """What plain `generate` answers, greedy, and when each token came."""
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


def plain_turn(language: LanguageModel, conversation: Conversation, number: int, tokens: int) -> Took:
    """One round of plain `generate`, which keeps nothing between turns."""
    ids, times = generated(language, conversation, tokens)
    at = times.at[1:]
    _, second = generated(
        language, then(conversation, language.tokenizer.decode(ids, skip_special_tokens=True)), 1
    )
    return Took(
        method=GENERATE,
        round=number,
        first_seconds=at[0],
        tokens_per_second=(len(at) - 1) / (at[-1] - at[0]),
        cpu_seconds=times.cpu_a_token,
        second_seconds=second.at[1],
        second_cold_seconds=second.at[1],
        ids=tuple(ids),
    )


def bot_turn(name: str, bot: Chatbot, conversation: Conversation, number: int, tokens: int) -> Took:
    """One round of a bot."""
    greedy = Sampling(temperature=0.0, repetition_penalty=1.0, max_new_tokens=tokens)
    session = f"{name}-{number}"
    answer = bot.stream(conversation, sampling=greedy, session=session)
    said = next(answer)
    cpu = time.process_time()
    said += "".join(answer)
    cpu = time.process_time() - cpu
    one = greedy.model_copy(update={"max_new_tokens": 1})
    later = bot.stream(then(conversation, said), sampling=one, session=session)
    list(later)
    cold = bot.stream(then(conversation, said), sampling=one, session=f"{session}-cold")
    list(cold)
    if answer.usage is None or later.usage is None or cold.usage is None:
        raise NlpkitError(f"{name}: an answer without its usage")
    ids = bot.profile.tokenizer(said, add_special_tokens=False)["input_ids"]
    return Took(
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
    """The model for `generate`, and a bot for each runtime; torch's shares its weights."""
    if run is None:
        folder, _ = find_base(DEFAULT)
        tokenizer = load_tokenizer(folder)
        window = min(WINDOW, window_of(folder, tokenizer))
        language = LanguageModel(
            load_language_model(folder), tokenizer, Dialogue(), window=window, threads=threads, name=DEFAULT
        )
    else:
        language = LanguageModel.load(run, threads=threads)
    profile = ChatProfile(
        tokenizer=language.tokenizer, task=language.task, window=language.window, name=language.name
    )
    bots: dict[str, Chatbot] = {}
    for one in runtimes:
        if one == "torch":
            bots[one] = Chatbot(profile, TorchDecoder(language.model, threads=threads))
        else:
            bots[one] = (
                Chatbot.default(runtime=one, threads=threads)
                if run is None
                else Chatbot.load(run, runtime=one, threads=threads)
            )
    return language, bots


def agreement(took: Sequence[Took], method: str) -> int:
    """How many tokens a method's answer has in common with `generate`'s before they part."""
    plain = next(one.ids for one in took if one.method == GENERATE)
    ours = next(one.ids for one in took if one.method == method)
    return next(
        (place for place, (a, b) in enumerate(zip(plain, ours, strict=False)) if a != b),
        min(len(plain), len(ours)),
    )


def summary(took: Sequence[Took]) -> list[str]:
    """The lines of the page."""
    rows = []
    for method in dict.fromkeys(one.method for one in took):
        plain = {one.round: one for one in took if one.method == GENERATE}
        pairs = [(one, plain[one.round]) for one in took if one.method == method]
        ratio = statistics.median(one.tokens_per_second / other.tokens_per_second for one, other in pairs)
        cpu = statistics.median(other.cpu_seconds / one.cpu_seconds for one, other in pairs)
        kept = statistics.median(one.second_seconds / one.second_cold_seconds for one, _ in pairs)
        speed = statistics.median(one.tokens_per_second for one, _ in pairs)
        first = statistics.median(one.first_seconds for one, _ in pairs)
        second = statistics.median(one.second_seconds for one, _ in pairs)
        equal = f"{agreement(took, method)} of {len(pairs[0][1].ids)}"
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
    conversation = talk(history, language.tokenizer)
    methods: list[Callable[[int, int], Took]] = [partial(plain_turn, language, conversation)]
    methods += [partial(bot_turn, name, bot, conversation) for name, bot in bots.items()]
    for take in methods:
        take(-1, 4)  # the first answer only warms up
    took = []
    for number in range(rounds):
        for take in methods if number % 2 == 0 else reversed(methods):
            took.append(one := take(number, tokens))
            talking(
                f"round {number + 1} of {rounds}: {one.method}: {one.tokens_per_second:.1f} tokens/s, {one.cpu_seconds:.3f} CPU s a token"
            )
    lost = (
        quality(bots, language, source=source, tokens=text, replies=replies, talking=talking)
        if text and replies
        else {}
    )
    said = {
        name: {key: scored(key, outcomes).model_dump() for key, outcomes in measures.items()}
        for name, measures in lost.items()
    }
    found = {
        "threads": threads,
        "history": history,
        "answers": [asdict(one) for one in took],
        "quality": said,
    }
    page = [*summary(took), "", *(lines(lost) if lost else [])]
    talking(
        save(
            results,
            "chat",
            found,
            title="The chat beside transformers' generate",
            machine=machine,
            lines=page,
        )
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", help="a dialogue run; default: smollm2-135m as it is")
    parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES, default=list(RUNTIMES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64, help="of an answer")
    parser.add_argument("--history", type=int, default=500, help="tokens of the prompt")
    parser.add_argument(
        "--text",
        type=int,
        default=4000,
        help="tokens of held-out conversations for the perplexity; 0: no quality",
    )
    parser.add_argument(
        "--replies", type=int, default=50, help="to how many of their turns each runtime replies; 0: none"
    )
    parser.add_argument("--source", default="chitchat", help="where those come from")
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder that results go to")
    asked = parser.parse_args(arguments)
    try:
        bench(
            asked.run,
            runtimes=asked.runtimes,
            threads=asked.threads,
            rounds=asked.rounds,
            tokens=asked.tokens,
            history=asked.history,
            text=asked.text,
            replies=asked.replies,
            source=asked.source,
            results=asked.results,
            talking=print,
        )
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
