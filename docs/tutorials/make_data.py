"""Write the files of the tutorials: reviews of three products and chats of a bakery, joined from phrases.

Run `python docs/tutorials/make_data.py`. The same seed writes the same files.
"""

from __future__ import annotations

import csv
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PRODUCTS = ("kettle", "lamp", "radio")
GOOD = (
    "I would buy it again tomorrow",
    "the {} has made my mornings better",
    "it looks lovely on the shelf",
    "my parents want one too",
    "worth every cent",
    "setting it up took a minute",
    "the {} is exactly what I hoped for",
    "very happy with it",
    "great quality for the money",
    "the help desk was kind and quick",
    "best {} that I have owned",
    "it arrived early and well packed",
    "it still works perfectly after a year",
    "what a beautiful little {}",
)
BAD = (
    "it broke after two days",
    "I want my money back",
    "the {} smells of burnt plastic",
    "nobody answers my mails",
    "a waste of money",
    "the {} arrived with a crack",
    "it is much too loud",
    "I am very disappointed",
    "the switch fell off on the first evening",
    "worst {} that I have owned",
    "it never worked properly",
    "cheap material and sloppy work",
    "I regret buying this {}",
    "the third {} that failed on us",
)
PLAIN = (
    "the {} is for my office",
    "it came in a brown box",
    "I ordered it in spring",
    "the cable is one meter long",
    "mine is the gray one",
    "we have two of them",
    "it stands next to the window",
    "delivered on a Tuesday",
    "it replaces an older {}",
    "there is a manual in four languages",
)
OPENERS = (
    "",
    "Well, ",
    "Honestly, ",
    "So far: ",
    "After a month: ",
    "Short version: ",
    "To be fair, ",
    "Update: ",
)
WEEKS = 16
BROKEN_SINCE = 9
"""The week in which kettles begin to fail."""

ORDERS = ("two rye loaves", "a lemon cake", "twelve rolls", "a tray of buns", "a plum tart", "six bagels")
QUESTIONS = {
    "Are you open on Sunday?": "Yes, from eight to noon.",
    "Do you have bread without gluten?": "Yes: buckwheat, on Tuesdays and Fridays.",
    "Can I pay by card?": "Yes, from five euros on.",
    "Is there parking?": "Yes, behind the house.",
    "Do you deliver?": "Only within the town, for three euros.",
    "Which bread keeps longest?": "The rye loaf: it keeps for a week.",
}
NAMES = ("Ann", "Bo", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jo", "Kim", "Lea")


def reviews(count: int, seed: int) -> list[dict[str, Any]]:
    """Return reviews with a date, a product and one to five stars."""
    draw = random.Random(seed)  # noqa: S311
    rows = []
    for number in range(1, count + 1):
        week, product = draw.randrange(WEEKS), draw.choice(PRODUCTS)
        failing = product == "kettle" and week >= BROKEN_SINCE
        mood = draw.choices((GOOD, PLAIN, BAD), (1, 1, 6) if failing else (6, 2, 2))[0]
        parts = draw.sample(mood, 2)
        if mood is not PLAIN and draw.random() < 0.4:
            parts.insert(draw.randrange(2), draw.choice(PLAIN))
        text = f"{draw.choice(OPENERS)}{', and '.join(parts[:2])}.".format(product, product)
        if len(parts) > 2:
            last = parts[2].format(product)
            text += f" {last[0].upper()}{last[1:]}."
        stars = {id(GOOD): (4, 5), id(PLAIN): (3,), id(BAD): (1, 2)}[id(mood)]
        day = date(2026, 6, 1) + timedelta(days=7 * week + draw.randrange(7))
        rows.append(
            {
                "id": number,
                "date": day.isoformat(),
                "product": product,
                "text": text[0].upper() + text[1:],
                "stars": draw.choice(stars),
            }
        )
    return rows


def chats(count: int, seed: int) -> list[dict[str, Any]]:
    """Return the turns of chats with a bakery, a turn a row."""
    draw = random.Random(seed)  # noqa: S311
    rows: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        name, order, hour = draw.choice(NAMES), draw.choice(ORDERS), draw.randint(8, 17)
        asked = draw.sample(sorted(QUESTIONS), 2)
        turns = [("customer", f"Hello, this is {name}."), ("baker", f"Hello {name}! How can I help?")]
        for question in asked:
            turns += [("customer", question), ("baker", QUESTIONS[question])]
        turns += [
            ("customer", f"Then I'd like {order} for {hour} o'clock."),
            ("baker", f"{order.capitalize()} for {hour} o'clock. See you then, {name}!"),
        ]
        if number % 12 == 0:
            turns += [("customer", f"My mail is {name.lower()}@example.com."), ("baker", "Thank you, noted.")]
        rows += [{"chat": number, "speaker": speaker, "text": text} for speaker, text in turns]
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    write(FOLDER / "reviews.csv", reviews(1_200, seed=1))
    write(FOLDER / "chats.csv", chats(120, seed=1))
