"""Write short-conversations.jsonl: conversations for the built-in chat model, joined from phrases of our own.

Run `python recipes/data/short_conversations.py`. The same seed writes the same file.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from nlpkit.config import yaml_value

Pair: TypeAlias = tuple[str, str]
"""What the user says, and the reply."""

FOLDER = Path(__file__).parent
SEED = 1


class Writer:
    """Joins phrases to conversations; each method returns the pairs of one."""

    def __init__(self, phrases: dict[str, Any], seed: int) -> None:
        self.phrases = phrases
        self.random = random.Random(seed)  # noqa: S311
        self.facts: dict[str, dict[str, list[str]]] = phrases["facts"]

    def some(self, name: str, least: int, most: int) -> list[Pair]:
        """Return some pairs of a list, none twice."""
        lines = self.random.sample(self.phrases[name], self.random.randint(least, most))
        return [_pair(line) for line in lines]

    def phrase(self, name: str, **slots: str) -> str:
        """Return a phrase of a list, its slots filled."""
        return _filled(self.random.choice(self.phrases[name]), **slots)

    def between(self, least: int, most: int) -> list[Pair]:
        """Return what may stand between a fact and its question."""
        pairs = self.some("talk", 0, 3) + self.some("general", 0, 2)
        self.random.shuffle(pairs)
        return pairs[: self.random.randint(least, most)]

    def fact(self, kind: str, value: str, part: str) -> str:
        """Return one way to tell, acknowledge, ask for or answer a fact."""
        return _filled(self.random.choice(self.facts[kind][part]), x=value)

    def told(self, count: int) -> tuple[dict[str, str], list[Pair]]:
        """Return some facts, and the turns that tell them."""
        kinds = self.random.sample(sorted(self.facts), count)
        facts = {kind: self.random.choice(self.facts[kind]["values"]) for kind in kinds}
        return facts, [
            (self.fact(kind, value, "tell"), self.fact(kind, value, "ack")) for kind, value in facts.items()
        ]

    def recalled(self) -> list[Pair]:
        """Tell facts, talk of other things, ask for the facts, and for one that was not told."""
        facts, pairs = self.told(self.random.choice([1, 2, 2, 3]))
        pairs += self.between(0, 3)
        asked = self.random.sample(sorted(facts), self.random.randint(1, min(2, len(facts))))
        pairs += [(self.fact(kind, "", "ask"), self.fact(kind, facts[kind], "answer")) for kind in asked]
        if self.random.random() < 0.35:
            kind = self.random.choice(sorted(self.facts.keys() - facts.keys()))
            pairs.append((self.fact(kind, "", "ask"), self.fact(kind, "", "unknown")))
        return pairs

    def corrected(self) -> list[Pair]:
        """Tell a fact, correct it, and ask for it."""
        facts, pairs = self.told(1)
        [(kind, old)] = facts.items()
        new = self.random.choice([value for value in self.facts[kind]["values"] if value != old])
        sorry = self.random.choice(
            ["Sorry, I meant {x}.", "No wait, {x}, not {y}.", "I was wrong: {x}.", "Correction: {x}."]
        )
        taken = self.random.choice(
            ["{x}, got it.", "Thanks, {x} then.", "No problem: {x}.", "All right, {x}."]
        )
        pairs.append((_filled(sorry, x=new, y=old), _filled(taken, x=new)))
        return [
            *pairs,
            *self.between(0, 2),
            (self.fact(kind, "", "ask"), self.fact(kind, new, "answer")),
        ]

    def untold(self) -> list[Pair]:
        """Ask for what was never told, or nobody can know."""
        pairs = self.between(0, 2)
        if self.random.random() < 0.4:
            return [*pairs, *self.some("private", 1, 2)]
        kind = self.random.choice(sorted(self.facts))
        value = self.random.choice(self.facts[kind]["values"])
        pairs.append((self.fact(kind, "", "ask"), self.fact(kind, "", "unknown")))
        if self.random.random() < 0.5:
            pairs.append((self.fact(kind, value, "tell"), self.fact(kind, value, "ack")))
            pairs.append((self.fact(kind, "", "ask"), self.fact(kind, value, "answer")))
        return pairs

    def not_invented(self) -> list[Pair]:
        """Ask for a number, an address or news, and insist."""
        pairs = self.between(0, 1)
        for wanted, source in self.some("unknowable", 1, 2):
            reply = self.phrase("unknowable_reply", x=wanted, y=source)
            pairs.append((self.phrase("unknowable_ask", x=wanted), reply))
            if self.random.random() < 0.4:
                pairs.append((self.phrase("insist"), self.phrase("insist_reply", y=source)))
        return pairs

    def one_word(self) -> list[Pair]:
        """Ask for one word, for yes or no, or for a fact in one word."""
        pairs = self.between(0, 1)
        for thing, word in self.some("one_word", 1, 2):
            ask = self.phrase("one_word_ask", x=thing)
            pairs.append((ask, word + self.random.choice(["", "", "."])))
        if self.random.random() < 0.4:
            [(question, answer)] = self.some("yes_no", 1, 1)
            pairs.append((self.phrase("yes_no_ask", x=question), answer))
        if self.random.random() < 0.5:
            kind = self.random.choice(["name", "town", "dog", "color", "sister", "order"])
            value = self.random.choice(self.facts[kind]["values"])
            pairs.insert(0, (self.fact(kind, value, "tell"), self.fact(kind, value, "ack")))
            start = self.random.choice(["One word: ", "In one word: ", "Answer in a word. "])
            pairs.append((start + self.fact(kind, "", "ask"), value))
        return pairs

    def comforted(self) -> list[Pair]:
        """Tell something sad."""
        [(sad, kind)] = self.some("sad", 1, 1)
        more = self.some("sad_more", 0, 2)
        return [*self.between(0, 1), (self.random.choice(self.phrases["sad_lead"]) + sad, kind), *more]

    def ideas(self) -> list[Pair]:
        """Ask for one idea after the other: none comes twice."""
        wanted = self.random.choice(sorted(self.phrases["ideas"]))
        ideas = self.random.sample(self.phrases["ideas"][wanted], self.random.randint(2, 4))
        asks = [self.phrase("idea_ask", x=wanted), *(self.phrase("idea_more") for _ in ideas[1:])]
        return [(ask, self.phrase("idea_reply", x=idea)) for ask, idea in zip(asks, ideas, strict=True)]

    def small_talk(self) -> list[Pair]:
        """Talk, ask general questions, and end."""
        pairs = self.some("talk", 0, 2) + self.some("general", 0, 2) + self.some("self", 0, 1)
        pairs += self.some("foreign", 0, 1) + self.some("writing", 0, 1)
        self.random.shuffle(pairs)
        return [*pairs[:3], *self.some("goodbye", 1, 1)]

    def planned(self) -> list[Pair]:
        """Plan something together: what was told is used."""
        choose, phrases = self.random.choice, self.phrases
        event, day, guest, food = (choose(phrases[name]) for name in ("events", "days", "guests", "foods"))
        people, each = choose([6, 8, 10, 12, 15, 20]), choose([5, 10, 15, 20])
        money = people * each
        fits = [dish for dish, holds in phrases["dishes"].items() if food not in holds]
        first, second = self.random.sample(fits, 2)
        missing = choose(phrases["missing"])
        pairs = [
            (f"I'm planning a {event} for {people} people.",
             choose([f"A {event} for {people}, nice. When is it?", f"{people} people, noted. Which day?"])),
            (f"On {day}.",
             choose([f"{day}, good. Is there anything that someone can't eat?", f"Noted: {day}."])),
            (choose([f"{guest} can't eat {food}.", f"No {food} for {guest}, please.",
                     f"{guest} doesn't eat {food}."]),
             choose([f"Nothing with {food} for {guest}, noted.", f"I'll remember: {guest} and no {food}."])),
        ]  # fmt: skip
        further = [
            (choose(["What could we eat?", "What should I cook?", "An idea for the food?"]),
             f"{first} would be good: it has no {food}, so {guest} can eat it."),
            ("And something else to eat?", f"{second}, also without {food}."),
            (f"I have {money} to spend.", f"That's {each} for each of the {people}."),
            (choose(["How many are we?", "How many people did I say?"]), f"{people} people."),
            (choose(["When is it again?", "Which day was it?"]), f"On {day}."),
            (choose([f"Who can't eat {food}?", "Whose diet do we have to mind?"]), f"{guest}: no {food}."),
            ("Two more want to come.", f"Then you'll be {people + 2}."),
            ("What have I forgotten?", f"You haven't mentioned {missing}."),
            ("Can you reserve a room for us?", "I can't reserve anything. I can help you plan."),
            ("Give me the number of a caterer.",
             "I don't know one, and I won't invent a number. Try a map app."),
            ("Sum it up, please.", f"A {event} on {day} for {people} people, with no {food} for {guest}."),
        ]  # fmt: skip
        picked = sorted(self.random.sample(range(len(further)), self.random.randint(2, 5)))
        late = [further[place] for place in picked]
        if any(said.startswith("Two more") for said, _ in late):
            outdated = (f"{people} people.", further[-1][1])
            late = [pair for pair in late if pair[1] not in outdated]
        return [(said, reply[0].upper() + reply[1:]) for said, reply in pairs + late]


def _pair(line: str) -> Pair:
    said, _, reply = line.partition(" | ")
    return said, reply


def _filled(phrase: str, **slots: str) -> str:
    text = phrase.format(**slots)
    return text[:1].upper() + text[1:]


def conversations(phrases: dict[str, Any], seed: int = SEED) -> Iterator[list[Pair]]:
    """Yield the conversations, all kinds mixed; none twice."""
    writer = Writer(phrases, seed)
    kinds: list[tuple[Callable[[], list[Pair]], int]] = [
        (writer.recalled, 650), (writer.corrected, 120), (writer.untold, 220), (writer.not_invented, 300),
        (writer.one_word, 280), (writer.comforted, 260), (writer.ideas, 150), (writer.small_talk, 320),
        (writer.planned, 300),
    ]  # fmt: skip
    rows = [write() for write, count in kinds for _ in range(count)]
    writer.random.shuffle(rows)
    seen: set[str] = set()
    for pairs in rows:
        if (key := str(pairs)) not in seen:
            seen.add(key)
            yield pairs


def main() -> None:
    """Write the file next to this one."""
    path = FOLDER / "short-conversations.yaml"
    phrases = yaml_value(path.read_text(encoding="utf-8"), where=str(path))
    with (FOLDER / "short-conversations.jsonl").open("w", encoding="utf-8") as file:
        for pairs in conversations(phrases):
            messages = [
                {"role": role, "content": text}
                for pair in pairs
                for role, text in zip(("user", "assistant"), pair, strict=True)
            ]
            file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
