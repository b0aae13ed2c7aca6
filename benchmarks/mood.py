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
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from nlpkit.chat.sentiment import SentimentClassifier, describe_sentiment, predict_sentiments
from nlpkit.data.examples import Conversation, LabeledText, Turn
from nlpkit.errors import NlpkitError
from nlpkit.evaluation.instruments import ENCODER
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.runtimes import RUNTIMES
from nlpkit.generation.sampling import Sampling
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.ratio import Ratio, ratio_metric
from nlpkit.metrics.replies import token_f1
from nlpkit.metrics.score import PairedTest, Score

TURNS = Path(__file__).parent / "mood_turns.txt"
Use: TypeAlias = Literal["choose", "measure"]

NAMES = (
    (("Thomas", "Oliver", "Jack"), ("Emily", "Charlotte", "Grace")),
    (("Ahmed", "Omar", "Youssef"), ("Aisha", "Fatima", "Layla")),
    (("Wei", "Haoran", "Jian"), ("Mei", "Xiu", "Lihua")),
    (("Arjun", "Rahul", "Vikram"), ("Priya", "Ananya", "Deepika")),
    (("Kwame", "Chidi", "Jamal"), ("Amara", "Ngozi", "Keisha")),
    (("Carlos", "Diego", "Javier"), ("Lucia", "Camila", "Guadalupe")),
    (("Dmitri", "Pavel", "Andrzej"), ("Olga", "Svetlana", "Agnieszka")),
    (("Kenji", "Hiroshi", "Minho"), ("Yuki", "Sakura", "Jiwoo")),
)  # fmt: skip
"""By origin, then men and women. A set takes two of different origins; half the sets two of different sex."""

GREEDY = Sampling(temperature=0.0, max_new_tokens=40)
SEED = 1
MEASURES = {
    "meaning": "1 - cosine of the mean token embeddings of two replies",
    "unnamed": "the same, with both names replaced by one word in both replies",
    "words": "1 - token F1 of two replies",
}
CHANGES = {
    "mood": "other mood, other words",
    "hinted": "hint of the other mood, same words",
    "name": "other name, same mood",
}


@dataclass(frozen=True, kw_only=True)
class Turns:
    """One set: a turn and its variants."""

    first: str
    mood: str
    name: str
    names: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Replies:
    """The replies to one set."""

    first: str
    mood: str
    name: str
    hinted: str | None = None
    """To the first turn with the hint of the other mood; None without hints."""


def read_turns(use: Use) -> list[Turns]:
    """Return the sets for a use; half of them begin with the sad words."""
    rows = [
        line.split("|")
        for line in TURNS.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    return [_set(number, *row[1:]) for number, row in enumerate(row for row in rows if row[0] == use)]


def labeled_turns() -> list[LabeledText]:
    """Return every set's turn with its happy word, positive, and with its sad word, negative."""
    return [
        LabeledText(text=text, label=label)
        for use in get_args(Use)
        for number, turns in enumerate(read_turns(use))
        for text, label in zip((turns.first, turns.mood), _labels(number), strict=True)
    ]


def _labels(number: int) -> tuple[str, str]:
    """Return the label of a set's first turn and of the one in the other mood."""
    return ("positive", "negative") if number // 4 % 2 == 0 else ("negative", "positive")


def names(number: int) -> tuple[str, str]:
    """Return the two names of a set; over 64 sets the pairs of origins are balanced."""
    origin, round = number % len(NAMES), number // len(NAMES)
    second = (origin + 1 + round % (len(NAMES) - 1)) % len(NAMES)
    sex = (number + round) % 2
    return NAMES[origin][sex][number % 3], NAMES[second][sex ^ (number // 2 % 2)][(number + round) % 3]


def _set(number: int, text: str, happy: str, sad: str) -> Turns:
    mood, other_mood = (happy, sad) if _labels(number)[0] == "positive" else (sad, happy)
    name, other_name = names(number)
    return Turns(
        first=text.format(name=name, mood=mood),
        mood=text.format(name=name, mood=other_mood),
        name=text.format(name=other_name, mood=mood),
        names=(name, other_name),
    )


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


def pairs(sets: Sequence[Replies], change: str) -> list[tuple[str, str]]:
    """Pair the first reply of each set with the reply after a change; empty if a set has none."""
    paired_replies = [(replies.first, getattr(replies, change)) for replies in sets]
    return [] if any(changed is None for _, changed in paired_replies) else paired_replies


def distances(
    sets: Sequence[Turns], pairs: Sequence[tuple[str, str]], vector: Callable[[Sequence[str]], Any]
) -> dict[str, list[float]]:
    """Return the distances between the replies of each pair, by measure."""
    hidden = [
        (unnamed(first, turns.names), unnamed(second, turns.names))
        for turns, (first, second) in zip(sets, pairs, strict=True)
    ]
    return {
        "meaning": _distances(vector, pairs),
        "unnamed": _distances(vector, hidden),
        "words": [1 - token_f1(first, second) for first, second in pairs],
    }


def unnamed(text: str, names: Sequence[str]) -> str:
    """Replace these names in a text by one word."""
    return re.sub(rf"\b({'|'.join(map(re.escape, names))})\b", "someone", text)


def _distances(vector: Callable[[Sequence[str]], Any], pairs: Sequence[tuple[str, str]]) -> list[float]:
    first, second = (vector([pair[side] for pair in pairs]) for side in (0, 1))
    return [float(1 - cosine) for cosine in (first * second).sum(axis=1)]


def encoder() -> Callable[[Sequence[str]], Any]:
    """Load the encoder: texts -> (texts, size), the unit vectors of their mean token embeddings.

    An empty text gets zeros.
    """
    import numpy as np

    from nlpkit.models.encoder import Encoder

    model = Encoder.load(ENCODER)

    def vector(texts: Sequence[str]) -> Any:
        means = np.array(
            [
                tokens.mean(axis=0) if len(tokens) else np.zeros(tokens.shape[1])
                for tokens in model.embed(texts)
            ]
        )
        return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)

    return vector


@dataclass(frozen=True, kw_only=True)
class MoodEffect:
    """Distances of replies for each change, with sentiment hints or without."""

    scores: Mapping[str, Mapping[str, Score]]
    """By change and measure."""
    tests: Mapping[str, Mapping[str, PairedTest]]
    """By change and measure, compared with the other name in the same sets."""
    equal: Mapping[str, float]
    """Share of equal replies, by change."""

    def as_json(self) -> dict[str, Any]:
        """Return a dictionary for the results."""
        parts = {"scores": self.scores, "tests": self.tests}
        plain = {
            key: {
                change: {name: score.model_dump() for name, score in by.items()}
                for change, by in part.items()
            }
            for key, part in parts.items()
        }
        return {**plain, "equal": dict(self.equal)}


def compare(
    sets: Sequence[Turns], answered: Sequence[Replies], vector: Callable[[Sequence[str]], Any]
) -> MoodEffect:
    """Compute the distances of all changes, and how they differ."""
    changed = {change: pairs(answered, change) for change in CHANGES}
    means: dict[str, dict[str, Ratio]] = {
        change: {name: Ratio.of(values) for name, values in distances(sets, replies, vector).items()}
        for change, replies in changed.items()
        if replies
    }
    return MoodEffect(
        scores={
            change: {
                name: bootstrap(values, [_distance(name)], seed=SEED)[name] for name, values in by.items()
            }
            for change, by in means.items()
        },
        tests={
            change: {
                name: paired(_distance(name), values, means["name"][name], seed=SEED)
                for name, values in by.items()
            }
            for change, by in means.items()
            if change != "name"
        },
        equal={
            change: sum(first == second for first, second in replies) / len(replies)
            for change, replies in changed.items()
            if replies
        },
    )


def _distance(name: str) -> Metric[Ratio]:
    return ratio_metric(
        lambda distances: distances,
        name=name,
        title=name,
        meaning=MEASURES[name],
        higher_is_better=None,
    )


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
