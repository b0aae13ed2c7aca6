"""Whether the bot answers the mood of a turn, and not the name in it: pairs of turns, greedy replies, and how far apart these are.

Each of the sets in mood_turns.txt gives a turn, the same turn in the other mood (a word or a few replaced), and the same turn with
another name. Where the bot is told of the mood, it also answers the first turn, word for word, told the mood of the second: whatever
changes then, the hint has done. Replies are kept as they come, so that a run that was ended goes on where it was.

Examples:
  python -m benchmarks.mood                        the 100 sets that are reported, smollm2-135m: some 20 minutes on a core
  python -m benchmarks.mood --use choose           the sets that a hint may be chosen on
  python -m benchmarks.mood --run runs/chitchat    another bot
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
from nlpkit.data.examples import Conversation, Turn
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
"""By origin, then men and women. Each set takes two of different origins; half of the sets two of different sex too."""

GREEDY = Sampling(temperature=0.0, max_new_tokens=40)
SEED = 1
MEASURES = {
    "meaning": "1 - cosine of the mean token embeddings of two replies",
    "unnamed": "the same, with both names replaced by one word in both replies",
    "words": "1 - token F1 of two replies",
}
CHANGES = {
    "mood": "other mood, other words",
    "told": "other mood told, same words",
    "name": "other name, same mood",
}


@dataclass(frozen=True, kw_only=True)
class Turns:
    """One set: what is said, and what is said instead."""

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
    told: str | None = None
    """To the first turn, told the mood of the other; None where the bot is told of no mood."""


def turns(use: Use) -> list[Turns]:
    """The sets for a use; half of them begin with the sad words."""
    rows = [
        line.split("|")
        for line in TURNS.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    return [_set(number, *row[1:]) for number, row in enumerate(one for one in rows if one[0] == use)]


def names(number: int) -> tuple[str, str]:
    """The two names of a set; over 64 sets each origin meets others as often as they meet it."""
    origin, round = number % len(NAMES), number // len(NAMES)
    other = (origin + 1 + round % (len(NAMES) - 1)) % len(NAMES)
    sex = (number + round) % 2
    return NAMES[origin][sex][number % 3], NAMES[other][sex ^ (number // 2 % 2)][(number + round) % 3]


def _set(number: int, text: str, happy: str, sad: str) -> Turns:
    first, other = (happy, sad) if number // 4 % 2 == 0 else (sad, happy)
    one, two = names(number)
    said = [text.format(name=name, mood=mood) for name, mood in ((one, first), (one, other), (two, first))]
    return Turns(first=said[0], mood=said[1], name=said[2], names=(one, two))


class Asked:
    """A bot's greedy replies, each asked for once and kept in a JSONL file."""

    def __init__(self, bot: ChatModel, path: Path) -> None:
        self._bot, self._path = bot, path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._known = {(row["system"], row["text"]): row["reply"] for row in map(json.loads, lines)}

    def __call__(self, system: str, text: str) -> str:
        """The reply to one turn."""
        if (system, text) not in self._known:
            asked = Conversation(system=system, turns=(Turn(role="user", text=text),))
            reply = "".join(self._bot.stream(asked, sampling=GREEDY)).strip()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(
                    json.dumps({"system": system, "text": text, "reply": reply}, ensure_ascii=False) + "\n"
                )
            self._known[system, text] = reply
        return str(self._known[system, text])


def hints(scorer: SentimentClassifier, texts: Sequence[str]) -> dict[str, str]:
    """What the bot is told with each text, as the chat tells it."""
    return {
        text: describe_sentiment([mood])
        for text, mood in zip(texts, predict_sentiments(scorer, texts), strict=True)
    }


def replies(
    ask: Callable[[str, str], str], sets: Sequence[Turns], told: Mapping[str, str] | None
) -> list[Replies]:
    """The replies to each set; `told` is what the bot is told with each text, None for no mood."""
    if told is None:
        return [
            Replies(first=ask("", one.first), mood=ask("", one.mood), name=ask("", one.name)) for one in sets
        ]
    return [
        Replies(
            first=ask(told[one.first], one.first),
            mood=ask(told[one.mood], one.mood),
            name=ask(told[one.name], one.name),
            told=ask(told[one.mood], one.first),
        )
        for one in sets
    ]


def pairs(found: Sequence[Replies], change: str) -> list[tuple[str, str]]:
    """The first reply of each set beside the one after a change; empty where there is none such."""
    others = [(one.first, getattr(one, change)) for one in found]
    return [] if any(other is None for _, other in others) else others


def distances(
    sets: Sequence[Turns], said: Sequence[tuple[str, str]], vector: Callable[[Sequence[str]], Any]
) -> dict[str, list[float]]:
    """By measure, how far apart the replies of each pair are."""
    hidden = [
        (unnamed(one, at.names), unnamed(other, at.names))
        for at, (one, other) in zip(sets, said, strict=True)
    ]
    return {
        "meaning": _apart(vector, said),
        "unnamed": _apart(vector, hidden),
        "words": [1 - token_f1(one, other) for one, other in said],
    }


def unnamed(text: str, names: Sequence[str]) -> str:
    """A text with one word in the place of these names."""
    return re.sub(rf"\b({'|'.join(map(re.escape, names))})\b", "someone", text)


def _apart(vector: Callable[[Sequence[str]], Any], said: Sequence[tuple[str, str]]) -> list[float]:
    one, other = (vector([pair[side] for pair in said]) for side in (0, 1))
    return [float(1 - value) for value in (one * other).sum(axis=1)]


def encoder() -> Callable[[Sequence[str]], Any]:
    """Texts -> (texts, size): the directions of their mean token embeddings; an empty text has none."""
    import numpy as np

    from nlpkit.models.encoder import Encoder

    model = Encoder.load(ENCODER)

    def vector(texts: Sequence[str]) -> Any:
        means = np.array(
            [one.mean(axis=0) if len(one) else np.zeros(one.shape[1]) for one in model.embed(texts)]
        )
        return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)

    return vector


@dataclass(frozen=True, kw_only=True)
class Found:
    """How far replies move with each change, told of the mood or not."""

    scores: Mapping[str, Mapping[str, Score]]
    """By change and measure."""
    tests: Mapping[str, Mapping[str, PairedTest]]
    """By change and measure: less what the other name changes in the same sets."""
    equal: Mapping[str, float]
    """Share of equal replies, by change."""

    def as_json(self) -> dict[str, Any]:
        """For the results."""
        parts = {"scores": self.scores, "tests": self.tests}
        plain = {
            key: {change: {name: one.model_dump() for name, one in by.items()} for change, by in part.items()}
            for key, part in parts.items()
        }  # fmt: skip
        return {**plain, "equal": dict(self.equal)}


def compare(sets: Sequence[Turns], found: Sequence[Replies], vector: Callable[[Sequence[str]], Any]) -> Found:
    """The distances of all changes, and how they differ."""
    said = {change: pairs(found, change) for change in CHANGES}
    means: dict[str, dict[str, Ratio]] = {
        change: {name: Ratio.of(values) for name, values in distances(sets, some, vector).items()}
        for change, some in said.items()
        if some
    }
    return Found(
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
            change: sum(one == other for one, other in some) / len(some)
            for change, some in said.items()
            if some
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


def lines(found: Mapping[str, Found]) -> list[str]:
    """The table: a row for each change, with and without the mood."""
    rows: list[list[object]] = []
    for mood, one in found.items():
        for change, by in one.scores.items():
            shown = [f"{score.shown(score.value)} ({score.interval})" for score in by.values()]
            test = one.tests[change]["meaning"] if change in one.tests else None
            more = (
                f"{test.difference:+.3f} ({test.low:+.3f} to {test.high:+.3f})"
                if test and test.low is not None
                else ""
            )
            rows.append([f"{mood}: {CHANGES[change]}", *shown, more, f"{one.equal[change]:.0%}"])
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
    """What was found; it is written as mood.json and mood.md too."""
    machine, sets, ask = Machine(), turns(use), Asked(bot, kept)
    told = hints(scorer, [text for one in sets for text in (one.first, one.mood, one.name)])
    same = {
        "name": sum(told[one.first] == told[one.name] for one in sets) / len(sets),
        "mood": sum(told[one.first] == told[one.mood] for one in sets) / len(sets),
    }
    talk(f"told the same: {same['name']:.0%} with another name, {same['mood']:.0%} in the other mood")
    said = {}
    for mood, some in (("on", told), ("off", None)):
        said[mood] = replies(ask, sets, some)
        talk(f"mood {mood}: {len(sets)} sets answered")
    vector = encoder()
    found = {mood: compare(sets, some, vector) for mood, some in said.items()}
    whole = {
        "bot": bot.name,
        "use": use,
        "sets": len(sets),
        "same_hint": same,
        "mood": {mood: one.as_json() for mood, one in found.items()},
        "replies": [
            {"turns": vars(one), "on": vars(on), "off": vars(off)}
            for one, on, off in zip(sets, said["on"], said["off"], strict=True)
        ],
    }
    about = f"The bot is told the same with the other name in {same['name']:.0%} of the sets, and in the other mood in {same['mood']:.0%}."
    title = f"Replies of {bot.name} to {len(sets)} sets of turns: what the mood changes, and what a name"
    name = "mood" if use == "measure" else f"mood-{use}"
    talk(
        save(
            results, name, whole, title=title, machine=machine, lines=[*lines(found), "", about], timed=False
        )
    )
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
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
    parser.add_argument("--results", type=Path, default=FOLDER, help="the folder that results go to")
    parser.add_argument(
        "--replies",
        type=Path,
        default=Path("mood-replies.jsonl"),
        help="where replies are kept; one file for each bot",
    )
    asked = parser.parse_args(arguments)
    try:
        load = {"runtime": asked.runtime, "threads": asked.threads}
        bot = Chatbot.default(**load) if asked.run is None else Chatbot.load(asked.run, **load)
        bench(
            bot, Classifier.load(None), use=asked.use, results=asked.results, kept=asked.replies, talk=print
        )
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
