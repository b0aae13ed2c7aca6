"""How the default sampling settings of the chat were chosen: repetition, the suite's dev half, and 20 turns.

    python -m benchmarks.chat_defaults repetition          50 replies with the default settings
    python -m benchmarks.chat_defaults settings            the suite's half for development, for some settings
    python -m benchmarks.chat_defaults plan --run RUN      20 turns of planning, as Markdown

Without --run the base answers. The prompts were written before any reply to them was seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.results import table
from nlpkit.data.examples import Conversation, Turn
from nlpkit.evaluation.chat_behavior import load_chat_suite, run_chat_suite, suite_report
from nlpkit.evaluation.chat_checks import CHECKS
from nlpkit.generation.capacity import Capacity
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.sampling import Sampling
from nlpkit.metrics.replies import repeated_runs

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
SETTINGS = ((0.7, 1.1), (0.3, 1.1))
"""Temperature and repetition penalty."""


def opened(run: str | None) -> Chatbot:
    """Load the chat model, for many replies at once."""
    capacity = Capacity(active=AT_ONCE)
    if run is None:
        return Chatbot.default(BASE, threads=1, capacity=capacity)
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


def settings_rows(bot: Chatbot) -> list[Sequence[object]]:
    """Return the suite's half for development, for each of the settings."""
    cases = load_chat_suite("dev")
    rows: list[Sequence[object]] = []
    for temperature, penalty in SETTINGS:
        sampling = Sampling(temperature=temperature, repetition_penalty=penalty, max_new_tokens=TOKENS)
        scores = suite_report("", run_chat_suite(bot, cases, sampling=sampling), data="").scores
        rows.append(
            [f"{temperature}", f"{penalty}", *(score.shown_with_interval for score in scores.values())]
        )
        print(" | ".join(map(str, rows[-1])), flush=True)
    return rows


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
    parser.add_argument("part", choices=("repetition", "settings", "plan"))
    parser.add_argument("--run", help="a dialogue run; default: the base as it is")
    arguments = parser.parse_args()
    default = Sampling(max_new_tokens=TOKENS, seed=1)
    with closing(opened(arguments.run)) as bot:
        if arguments.part == "repetition":
            lines = table(("Repeated runs", "Ended", "Words"), [repetition(bot, default)])
        elif arguments.part == "settings":
            head = (
                "Temperature",
                "Penalty",
                "Passed",
                *(topic.capitalize() for topic in CHECKS),
                "All that end",
            )
            lines = table(head, settings_rows(bot))
        else:
            lines = plan(bot, default)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
