"""What a model is asked about: replies of held-out conversations, with other replies and other histories."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import DataError

PER_CONVERSATION = 3
"""Replies of one conversation are alike: more of it would make intervals narrower than they are."""

TURNS_BEFORE = 3
WORDS = 2
"""Preferred are replies of at least so many words after so many turns: there is something to use, and
something to say.
"""

TRIES = 100
"""Shuffles until one differs and fits: of two texts, a hundred fail to differ once in 10**30."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A reply of a person, what came before it, and what did not."""

    history: Conversation
    """What the model reads before the reply and its distractors: at least one turn, and no more than fit."""
    reply: str
    distractors: tuple[str, ...] = ()
    """Replies from other conversations: none says the same as the true one, or as another."""
    shuffled: Conversation | None = None
    """The texts of the history in another order, each turn keeping its role; None where there is no other
    order.
    """
    foreign: Conversation | None = None
    """As many turns of the same roles from another conversation; None where no other one has as many."""

    @property
    def silent(self) -> Conversation:
        """The history without any turn."""
        return last_turns(self.history, 0)


@dataclass(frozen=True, kw_only=True)
class _Answer:
    group: str
    """Equal for all views of one conversation."""
    conversation: Conversation
    turn: int

    @property
    def history(self) -> Conversation:
        return replace(self.conversation, turns=self.conversation.turns[: self.turn])

    @property
    def reply(self) -> str:
        return self.conversation.turns[self.turn].text

    @property
    def rank(self) -> int:
        """0 is asked first."""
        if len(self.reply.split()) < WORDS:
            return 2
        return 0 if self.turn >= TURNS_BEFORE else 1


@dataclass(frozen=True, kw_only=True)
class Picked:
    """Items, and what was left out."""

    items: tuple[Item, ...]
    conversations: int
    """How many they come from."""
    unfit: int
    """Replies that do not fit, or whose last turn does not."""


Fits: TypeAlias = Callable[[Conversation, str], bool]
"""Whether a model can read the last turn of a history and a reply."""

Seen: TypeAlias = Callable[[Conversation, Sequence[str]], Conversation]
"""What a model reads of a history when it is asked about replies: older turns drop out of a long one. Another
order of the whole would
bring them back, and be worse only because it hides the last turns."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far a model reads; by default everything."""

    fits: Fits = lambda history, reply: True
    seen: Seen = lambda history, replies: history


def pick_items(
    conversations: Sequence[Conversation],
    *,
    items: int,
    candidates: int,
    seed: int,
    reach: Reach | None = None,
) -> Picked:
    """Up to `items` replies, spread over the conversations: the same for the same seed.

    Args:
        conversations: held out.
        items: how many at most.
        candidates: how many replies a model chooses from, the true one included; fewer where other
            conversations hold fewer.
        seed: draws replies, candidates and histories.
        reach: what a model cannot read is left out.

    Raises:
        DataError: the model's side answers nothing in these conversations, or nothing that fits.
    """
    reach = reach or Reach()
    answers = list(_answers(conversations))
    if not answers:
        raise DataError(
            f"{len(conversations)} conversations: no turn of the model's side follows another turn; "
            "expected replies to measure on"
        )
    chosen, unfit = _spread(answers, items, random.Random(f"{seed} places"), reach.fits)  # noqa: S311
    if not chosen:
        raise DataError(
            f"{len(conversations)} conversations: none of {unfit:,} replies fits with the turn before it; "
            "hint: a base with a longer context window"
        )
    pool = _pool(answers)
    drawn = [
        _item(answer, pool, answers, random.Random(f"{seed} {number}"), candidates - 1, reach)  # noqa: S311
        for number, answer in enumerate(chosen)
    ]
    # As many for each item: hits among 20 and hits among 5 do not make one number.
    fewest = min(len(item.distractors) for item in drawn)
    return Picked(
        items=tuple(replace(item, distractors=item.distractors[:fewest]) for item in drawn),
        conversations=len({answer.group for answer in chosen}),
        unfit=unfit,
    )


def last_turns(history: Conversation, turns: int) -> Conversation:
    """Return the history with only its last turns; the system prompt stays."""
    return replace(
        history,
        turns=history.turns[len(history.turns) - turns :] if turns < len(history.turns) else history.turns,
    )


def _answers(conversations: Sequence[Conversation]) -> Iterator[_Answer]:
    for number, conversation in enumerate(conversations):
        group = conversation.id or f"number {number}"
        for turn in range(1, len(conversation.turns)):
            if conversation.turns[turn].role == "assistant":
                yield _Answer(group=group, conversation=conversation, turn=turn)


def _spread(
    answers: Sequence[_Answer], items: int, draw: random.Random, fits: Fits
) -> tuple[list[_Answer], int]:
    """Return the best turns, and how many did not fit: of equals one of each conversation before a second of
    any.
    """
    waiting = sorted(answers, key=lambda _: draw.random())
    taken: Counter[str] = Counter()
    chosen: list[_Answer] = []
    unfit = 0
    for rank in range(3):
        for round_ in range(1, PER_CONVERSATION + 1):
            rest = []
            for answer in waiting:
                if answer.rank != rank or taken[answer.group] >= round_ or len(chosen) >= items:
                    rest.append(answer)
                elif fits(answer.history, answer.reply):
                    taken[answer.group] += 1
                    chosen.append(answer)
                else:
                    unfit += 1
            waiting = rest
    return chosen, unfit


def _pool(answers: Sequence[_Answer]) -> dict[str, _Answer]:
    """Return replies by what they say, whatever their case and spaces; very short ones only where nobody says
    more.
    """
    worded = [answer for answer in answers if answer.rank < 2] or list(answers)
    return {_normalized(answer.reply): answer for answer in worded}


def _normalized(text: str) -> str:
    return " ".join(text.casefold().split())


def _item(
    answer: _Answer,
    pool: dict[str, _Answer],
    answers: Sequence[_Answer],
    draw: random.Random,
    distractors: int,
    reach: Reach,
) -> Item:
    truth = _normalized(answer.reply)
    fitting = [known.reply for text, known in pool.items() if known.group != answer.group and text != truth]
    draw.shuffle(fitting)
    readable = (reply for reply in fitting if reach.fits(answer.history, reply))
    chosen = tuple(islice(readable, distractors))
    history = reach.seen(answer.history, (answer.reply, *chosen))
    shuffles = (mixed for mixed in _shuffles(history, draw) if reach.fits(mixed, answer.reply))
    others = (
        known for known in _others(history, answer.group, answers, draw) if reach.fits(known, answer.reply)
    )
    return Item(
        history=history,
        reply=answer.reply,
        distractors=chosen,
        shuffled=next(shuffles, None),
        foreign=next(others, None),
    )


def _shuffles(history: Conversation, draw: random.Random) -> Iterator[Conversation]:
    """Yield other orders of the texts, as long as there may be a new one."""
    texts = [turn.text for turn in history.turns]
    mixed = list(texts)
    for _ in range(TRIES if len(set(texts)) > 1 else 0):
        draw.shuffle(mixed)
        if mixed != texts:
            yield replace(
                history,
                turns=tuple(
                    Turn(role=turn.role, text=text) for turn, text in zip(history.turns, mixed, strict=True)
                ),
            )


def _others(
    history: Conversation, group: str, answers: Sequence[_Answer], draw: random.Random
) -> Iterator[Conversation]:
    """Yield the turns before the last reply of other conversations: all end where the model answers, so that
    the roles agree.
    """
    size = len(history.turns)
    last = {answer.group: answer for answer in answers if answer.turn >= size and answer.group != group}
    for answer in sorted(last.values(), key=lambda _: draw.random()):
        turns = answer.conversation.turns[answer.turn - size : answer.turn]
        if turns != history.turns:
            yield replace(history, turns=turns)
