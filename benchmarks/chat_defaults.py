"""How the default sampling settings of the chat were chosen: repetition, the behavior suite, and 20 turns.

    python -m benchmarks.chat_defaults repetition          50 replies with the default settings
    python -m benchmarks.chat_defaults settings --run RUN  66 replies for each of some settings
    python -m benchmarks.chat_defaults suite               the suite's half to report on
    python -m benchmarks.chat_defaults plan --run RUN      20 turns of planning, as Markdown

Without --run, a base answers as it is: --base, by default smollm2-135m. The prompts were written before any
reply to them was seen.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.results import table
from nlpkit.data.examples import Conversation, Turn
from nlpkit.evaluation.chat_behavior import (
    CaseResult,
    ChatCase,
    load_chat_suite,
    run_chat_suite,
    suite_report,
)
from nlpkit.generation.capacity import Capacity
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.sampling import Sampling
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.ratio import Ratio, ratio_metric
from nlpkit.metrics.replies import repeated_runs, words

BASE = "smollm2-135m"
TURNS = Path(__file__).with_name("planning.txt")
TOKENS = 120
AT_ONCE = 16
PROMPTS: tuple[tuple[str, ...], ...] = (
    ("What can I plant in a shady corner?",),
    ("How does a bicycle bell work?",),
    ("I can't decide what to wear to the interview.",),
    ("Tell me how to make soup from leftovers.",),
    ("Why do cats purr?",),
    ("What do you think of Mondays?",),
    ("List some things to take to the beach.",),
    ("Explain what a stock is.",),
    ("My neighbor borrowed my drill and doesn't return it.",),
    ("Write four lines about a lighthouse.",),
    ("How do I learn to whistle?",),
    ("What's a good way to wake up early?",),
    ("Describe a perfect picnic.",),
    ("Why is bread better fresh?",),
    ("Tell me about volcanoes.",),
    ("I feel like doing nothing today.",),
    ("How can I remember names better?",),
    ("What makes a good friend?",),
    ("I bought a violin.", "Great! Have you played before?", "Never. How do I start?"),
    (
        "We get a new kitchen.",
        "How exciting. What will it look like?",
        "White. What do I do with the old one?",
    ),
    ("Do you like snow?", "I can't feel it, but many people enjoy it.", "What can one do in it?"),
    ("I read about bees.", "They are useful insects.", "Useful for what?"),
    ("The printer is broken.", "Does it show an error?", "It says paper jam, but there's no paper in it."),
    ("I run a small shop.", "What do you sell?", "Soap. How can I get more customers?"),
    ("My son asks why the sea is salty.", "A good question.", "What do I say to him?"),
)
SETTINGS = (
    (0.7, 1.1, TOKENS),
    (0.2, 1.0, TOKENS),
    (0.2, 1.1, TOKENS),
    (0.7, 1.0, TOKENS),
    (0.7, 1.3, TOKENS),
    (0.2, 1.3, TOKENS),
    (0.7, 1.1, 60),
    (0.7, 1.1, 200),
)
"""Temperature, repetition penalty and length that are compared, the default first."""
SHARE = ratio_metric(lambda ratio: ratio, name="share", title="share", meaning="", percent=True)


def opened(run: str | None, base: str) -> Chatbot:
    """Load a chat model with one thread, for many replies at once."""
    capacity = Capacity(active=AT_ONCE)
    if run is None:
        return Chatbot.default(base, threads=1, capacity=capacity)
    return Chatbot.load(run, threads=1, capacity=capacity)


def talk(*texts: str) -> Conversation:
    """Return a conversation that the user begins."""
    turns = (Turn(role="assistant" if number % 2 else "user", text=text) for number, text in enumerate(texts))
    return Conversation(turns=tuple(turns))


def repetition(bot: Chatbot, sampling: Sampling) -> list[str]:
    """Return how often 50 replies repeat themselves, end themselves, and how long they are."""
    streams = [
        bot.stream(talk(*prompt), sampling=sampling.model_copy(update={"seed": seed}))
        for seed in (1, 2)
        for prompt in PROMPTS
    ]
    replies = ["".join(stream).lower().split() for stream in streams]
    runs = [repeated_runs(words) for words in replies]
    ended = sum(stream.finish == "stop" for stream in streams)
    again, all_runs = sum(count for count, _ in runs), sum(count for _, count in runs)
    return [
        f"{again / all_runs:.1%}",
        f"{ended} of {len(streams)}",
        f"{sum(map(len, replies)) / len(replies):.0f}",
    ]


def talks() -> tuple[ChatCase, ...]:
    """Return three conversations of six turns, all of which the model itself answers."""
    own = [text for texts in PROMPTS if len(texts) == 1 for text in texts]
    scripts = [own[start : start + 6] for start in range(0, len(own), 6)]
    return tuple(
        ChatCase(
            topic="no repetition", half="dev", turns=tuple(turn for text in script for turn in (text, None))
        )
        for script in scripts
    )


def repeats(results: Sequence[CaseResult]) -> tuple[Ratio, Ratio]:
    """Return the runs of four words that a reply repeats from itself, and from earlier replies."""
    within, across, counts = [], [], []
    for result in results:
        known: set[tuple[str, ...]] = set()
        again = before = count = 0
        for turn in result.conversation.turns:
            if turn.role == "assistant":
                spoken = words(turn.text)
                runs = [tuple(spoken[at : at + 4]) for at in range(len(spoken) - 3)]
                again += repeated_runs(spoken)[0]
                before += sum(run in known for run in runs)
                count += len(runs)
                known.update(runs)
        within.append(again)
        across.append(before)
        counts.append(count)
    return Ratio.of(within, counts), Ratio.of(across, counts)


def settings_rows(bot: Chatbot) -> list[Sequence[object]]:
    """Return how the replies are with each of the settings: to the suite's half for development, which alone
    can pass, and in longer conversations. The default comes first.
    """
    cases, longer = load_chat_suite("dev"), talks()
    rows: list[Sequence[object]] = []
    usual: Ratio | None = None
    for temperature, penalty, length in SETTINGS:
        sampling = Sampling(temperature=temperature, repetition_penalty=penalty, max_new_tokens=length)
        results = run_chat_suite(bot, [*cases, *longer], sampling=sampling, seed=1)
        passed = Ratio.of([result.passed for result in results[: len(cases)]])
        usual = usual or passed
        ended = Ratio.of([result.ended for result in results], [result.replies for result in results])
        within, across = repeats(results)
        test = paired(SHARE, passed, usual, seed=0)
        shares = [
            bootstrap(share, [SHARE], seed=0)["share"].shown_with_interval
            for share in (passed, ended, within, across)
        ]
        difference = f"{test.difference or 0:+.1%} ({test.low or 0:+.1%} to {test.high or 0:+.1%})"
        rows.append([temperature, penalty, length, *shares, difference])
        print(" | ".join(map(str, rows[-1])), flush=True)
    return rows


def suite_rows(bot: Chatbot) -> list[Sequence[object]]:
    """Return the suite's half to report on as `nlpkit evaluate` measures it, and what it costs."""

    def show(done: int, total: int) -> None:
        print(f"{done} of {total}", file=sys.stderr, flush=True)

    started = time.process_time()
    results = run_chat_suite(bot, load_chat_suite("report"), seed=1, progress=show)
    seconds = time.process_time() - started
    scores = suite_report("", results, data="", seed=1).scores.values()
    return [
        *([score.title, score.count, score.shown_with_interval] for score in scores),
        ["Processor seconds", "", f"{seconds:.0f}"],
        ["Peak memory in MB", "", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f}"],
    ]


def plan(bot: Chatbot, sampling: Sampling) -> list[str]:
    """Return the 20 turns of planning with their replies, as Markdown."""
    texts: list[str] = []
    lines: list[str] = []
    for text in TURNS.read_text(encoding="utf-8").splitlines():
        stream = bot.stream(talk(*texts, text), sampling=sampling, session="plan")
        reply = "".join(stream).strip()
        texts += [text, reply]
        shown = " ".join(reply.split()) + ("" if stream.finish == "stop" else " [cut]")
        lines += [f"**You:** {text}  ", f"**It:** {shown}", ""]
    return lines


def main() -> None:
    """Run one part and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("repetition", "settings", "suite", "plan"))
    parser.add_argument("--run", help="a dialogue run; default: the base as it is")
    parser.add_argument("--base", default=BASE, help="the base that answers where there is no run")
    arguments = parser.parse_args()
    default = Sampling(max_new_tokens=TOKENS, seed=1)
    with closing(opened(arguments.run, arguments.base)) as bot:
        if arguments.part == "repetition":
            lines = table(("Repeated runs", "Ended", "Words"), [repetition(bot, default)])
        elif arguments.part == "settings":
            head = ("Temperature", "Penalty", "Length", "Passed", "Ended", "Within", "Across", "Difference")
            lines = table(head, settings_rows(bot))
        elif arguments.part == "suite":
            lines = table(("Topic", "Count", "Share"), suite_rows(bot))
        else:
            lines = plan(bot, default)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
