"""Splits of conversations: whole ones, with all that belongs to them on one side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nlpkit.data.examples import Conversation
from nlpkit.data.near import near_groups
from nlpkit.data.splits import companions, parted
from nlpkit.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class ConversationSplit:
    """The parts; every conversation given is in exactly one, in the order given."""

    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...] = ()
    test: tuple[Conversation, ...] = ()
    kept_together: int = 0
    """How many conversations stayed on one side with another: a view or a part of the same, or a near-equal one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOutConversations:
    """What is left to train on, and what was dropped because it stands in the held-out conversations."""

    train: tuple[Conversation, ...]
    dropped: tuple[Conversation, ...]

    def __iter__(self) -> Iterator[tuple[Conversation, ...]]:
        """`kept, dropped = hold_out_conversations(...)`."""
        return iter((self.train, self.dropped))


def split_conversations(
    conversations: Sequence[Conversation],
    *,
    validation: float,
    test: float,
    seed: int,
    near_duplicates: float,
) -> ConversationSplit:
    """The conversations in three parts: the same for the same seed, equal ids and near-equal conversations on one side.

    Sizes are as close to the shares as `nlpkit.data.splits.split` keeps them; short and long conversations are spread alike.

    Raises:
        DataError: a part that was asked for stays empty.
    """
    groups = conversation_groups(conversations, near_duplicates=near_duplicates, seed=seed)
    # Lengths by powers of two, alike in all parts: else short conversations, of which `each` makes one view only, are held out more often.
    labels = [str(len(one.turns).bit_length()) for one in conversations]
    places = parted(
        groups,
        labels,
        validation=validation,
        test=test,
        seed=seed,
        near_duplicates=near_duplicates,
        what="conversations",
    )
    found = {name: tuple(conversations[place] for place in chosen) for name, chosen in places.items()}
    return ConversationSplit(**found, kept_together=companions(groups))


def hold_out_conversations(
    train: Sequence[Conversation], held: Sequence[Conversation], near_duplicates: float
) -> HeldOutConversations:
    """The training conversations without those that are, or nearly are, held out, and those dropped; through chains too.

    Raises:
        DataError: nothing is left to train on.
    """
    groups = conversation_groups([*train, *held], near_duplicates=near_duplicates, seed=0)
    taken = set(groups[len(train) :])
    kept = tuple(one for one, group in zip(train, groups, strict=False) if group not in taken)
    dropped = tuple(one for one, group in zip(train, groups, strict=False) if group in taken)
    if not kept:
        found = (
            f"all {len(train)} conversations to train on are equal or near-equal to held-out ones"
            if train
            else "no conversations to train on"
        )
        raise DataError(
            f"held-out conversations: {found}; expected others; hint: name other files for validation and test"
        )
    return HeldOutConversations(train=kept, dropped=dropped)


def conversation_groups(
    conversations: Sequence[Conversation], *, near_duplicates: float, seed: int
) -> list[int]:
    """A group for each conversation: those of one id share it, and those whose joined texts are near-equal, through chains too."""
    texts = ["\n".join(turn.text for turn in one.turns) for one in conversations]
    near = near_groups(texts, threshold=near_duplicates, seed=seed)
    leaders: dict[tuple[str, object], tuple[str, object]] = {}

    def leader(one: tuple[str, object]) -> tuple[str, object]:
        while (above := leaders.setdefault(one, one)) != one:
            leaders[one] = leaders.setdefault(above, above)
            one = above
        return one

    for place, (conversation, group) in enumerate(zip(conversations, near, strict=True)):
        # A conversation without an id is its own.
        leaders[leader(("id", conversation.id or place))] = leader(("near", group))
    numbers: dict[tuple[str, object], int] = {}
    return [numbers.setdefault(leader(("near", group)), len(numbers)) for group in near]
