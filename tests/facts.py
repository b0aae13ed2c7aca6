"""A conversation of 300 turns whose first twenty tell facts, and the questions about them at its end."""

from __future__ import annotations

import random

from nlpkit.data.examples import Conversation, Turn

FACTS = (
    ("My sister Ada lives in Oslo.", "Where does my sister live?", "Oslo"),
    ("I am allergic to peanuts, by the way.", "Which food am I allergic to?", "peanuts"),
    ("Our dog is called Biscuit.", "What is the name of our dog?", "Biscuit"),
    ("I work as a night nurse at the harbour hospital.", "What is my work?", "nurse"),
    ("My birthday is on the ninth of March.", "When is my birthday?", "ninth of March"),
    ("I drive a green van that I bought from my uncle.", "What color is the van that I drive?", "green"),
    ("My favorite dish is mushroom risotto.", "What is my favorite dish?", "risotto"),
    ("I broke my left wrist when I was skating.", "What did I break when skating?", "wrist"),
    ("I play the cello in a small orchestra.", "Which instrument do I play in the orchestra?", "cello"),
    ("My flat is on the seventh floor, without a lift.", "On which floor is my flat?", "seventh"),
)
"""What the user tells, what they ask much later, and the word that answers it."""

_THINGS = (
    "the rain",
    "that film",
    "the match",
    "a new bakery",
    "the traffic",
    "this song",
    "the news",
    "my garden",
    "an old book",
    "the sea",
)
_SAID = (
    "I keep thinking about {}.",
    "Tell me something about {}.",
    "So what do you make of {}?",
    "People talk a lot about {} today.",
)
_ANSWERS = (
    "That sounds pleasant.",
    "I see what you mean.",
    "There is much to say about it.",
    "It depends on the day.",
)


def long_talk(turns: int = 299, seed: int = 0) -> list[Turn]:
    """Facts in the user's first ten turns, then small talk; the user speaks last."""
    draw = random.Random(seed)
    found = []
    for place in range(turns):
        if place % 2:
            found.append(Turn(role="assistant", text=draw.choice(_ANSWERS)))
        elif place // 2 < len(FACTS):
            found.append(Turn(role="user", text=FACTS[place // 2][0]))
        else:
            found.append(Turn(role="user", text=draw.choice(_SAID).format(draw.choice(_THINGS))))
    return found


def asked(question: str, turns: list[Turn]) -> Conversation:
    """The talk, and one more question at its end."""
    return Conversation(
        turns=(*turns[:-1], Turn(role="user", text=question)), system="You are a kind companion."
    )
