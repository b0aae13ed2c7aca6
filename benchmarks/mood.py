"""Whether the chat model answers the mood of a turn, and not the name in it.

Each set in mood_turns.txt gives a turn, the same turn in the other mood (a few words replaced), and the same
turn with another name. The distances between the greedy replies are measured. With sentiment hints, the chat
model also answers the first turn with the hint of the second: only the hint can change that reply. Each reply
is kept at once, so that a benchmark that was stopped resumes.

Examples:
  python -m benchmarks.mood                        the reported sets, smollm2-135m: 20 minutes on a core
  python -m benchmarks.mood --use choose           the sets for choosing a hint
  python -m benchmarks.mood --run runs/chitchat    another chat model
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from benchmarks.machine import Machine
from benchmarks.mood_effect import CHANGES, MoodEffect, Replies, compare, encoder
from benchmarks.mood_sets import Turns, Use, read_turns
from benchmarks.results import FOLDER, save, table
from nlpkit.chat.sentiment import SentimentClassifier, describe_sentiment, predict_sentiments
from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import NlpkitError
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.runtimes import RUNTIMES
from nlpkit.generation.sampling import Sampling

GREEDY = Sampling(temperature=0.0, max_new_tokens=40)


class CachedReplies:
    """A chat model's greedy replies, each generated once and kept in a JSONL file."""

    def __init__(self, bot: ChatModel, path: Path) -> None:
        self._bot, self._path = bot, path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._known = {(row["system"], row["text"]): row["reply"] for row in map(json.loads, lines)}

    def __call__(self, system: str, text: str) -> str:
        """Return the reply to one turn."""
        if (system, text) not in self._known:
            conversation = Conversation(system=system, turns=(Turn(role="user", text=text),))
            reply = "".join(self._bot.stream(conversation, sampling=GREEDY)).strip()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(
                    json.dumps({"system": system, "text": text, "reply": reply}, ensure_ascii=False) + "\n"
                )
            self._known[system, text] = reply
        return str(self._known[system, text])


def sentiment_hints(scorer: SentimentClassifier, texts: Sequence[str]) -> dict[str, str]:
    """Return the sentiment hint for each text, as the chat adds it to the system prompt."""
    return {
        text: describe_sentiment([mood])
        for text, mood in zip(texts, predict_sentiments(scorer, texts), strict=True)
    }


def replies(
    ask: Callable[[str, str], str], sets: Sequence[Turns], hints: Mapping[str, str] | None
) -> list[Replies]:
    """Return the replies to each set, with the hint for each text or without hints."""
    if hints is None:
        return [
            Replies(first=ask("", turns.first), mood=ask("", turns.mood), name=ask("", turns.name))
            for turns in sets
        ]
    return [
        Replies(
            first=ask(hints[turns.first], turns.first),
            mood=ask(hints[turns.mood], turns.mood),
            name=ask(hints[turns.name], turns.name),
            hinted=ask(hints[turns.mood], turns.first),
        )
        for turns in sets
    ]


def lines(effects: Mapping[str, MoodEffect]) -> list[str]:
    """Return the table: a row for each change, with and without sentiment hints."""
    rows: list[list[object]] = []
    for mood, effect in effects.items():
        for change, by in effect.scores.items():
            shown = [score.shown_with_interval for score in by.values()]
            test = effect.tests[change]["meaning"] if change in effect.tests else None
            more = (
                f"{test.difference:+.3f} ({test.low:+.3f} to {test.high:+.3f})"
                if test and test.low is not None
                else ""
            )
            rows.append([f"{mood}: {CHANGES[change]}", *shown, more, f"{effect.equal[change]:.0%}"])
    head = (
        "Mood: what changes",
        "Meaning apart",
        "Names hidden",
        "Words apart",
        "Meaning, more than by the name",
        "Equal replies",
    )
    return table(head, rows)


def bench(
    bot: ChatModel,
    scorer: SentimentClassifier,
    *,
    use: Use,
    results: Path,
    kept: Path,
    talk: Callable[[str], None],
) -> dict[str, Any]:
    """Measure, write mood.json and mood.md, and return the results."""
    machine, sets, ask = Machine(), read_turns(use), CachedReplies(bot, kept)
    hints = sentiment_hints(
        scorer, [text for turns in sets for text in (turns.first, turns.mood, turns.name)]
    )
    same = {
        "name": sum(hints[turns.first] == hints[turns.name] for turns in sets) / len(sets),
        "mood": sum(hints[turns.first] == hints[turns.mood] for turns in sets) / len(sets),
    }
    talk(f"same hint: {same['name']:.0%} with another name, {same['mood']:.0%} in the other mood")
    answered = {}
    for mood, given in (("on", hints), ("off", None)):
        answered[mood] = replies(ask, sets, given)
        talk(f"mood {mood}: {len(sets)} sets answered")
    vector = encoder()
    effects = {mood: compare(sets, replied, vector) for mood, replied in answered.items()}
    record = {
        "bot": bot.name,
        "use": use,
        "sets": len(sets),
        "same_hint": same,
        "mood": {mood: effect.as_json() for mood, effect in effects.items()},
        "replies": [
            {"turns": vars(turns), "on": vars(on), "off": vars(off)}
            for turns, on, off in zip(sets, answered["on"], answered["off"], strict=True)
        ],
    }
    about = (
        f"The hint is the same with the other name in {same['name']:.0%} of the sets, "
        f"and in the other mood in {same['mood']:.0%}."
    )
    title = f"Replies of {bot.name} to {len(sets)} sets of turns: what the mood changes, and what a name"
    name = "mood" if use == "measure" else f"mood-{use}"
    talk(
        save(
            results,
            name,
            record,
            title=title,
            machine=machine,
            lines=[*lines(effects), "", about],
            timed=False,
        )
    )
    return record


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    from nlpkit.classifiers.classifier import Classifier

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mood", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--run", help="a dialogue run; default: smollm2-135m as it is")
    parser.add_argument("--runtime", choices=list(RUNTIMES), default="torch")
    parser.add_argument(
        "--use", choices=get_args(Use), default="measure", help="which sets of mood_turns.txt"
    )
    parser.add_argument("--threads", type=int)
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder for the results")
    parser.add_argument(
        "--replies",
        type=Path,
        default=Path("mood-replies.jsonl"),
        help="the file that keeps the replies; one for each chat model",
    )
    args = parser.parse_args(arguments)
    try:
        load = {"runtime": args.runtime, "threads": args.threads}
        bot = Chatbot.default("smollm2-135m", **load) if args.run is None else Chatbot.load(args.run, **load)
        bench(bot, Classifier.load(None), use=args.use, results=args.results, kept=args.replies, talk=print)
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
