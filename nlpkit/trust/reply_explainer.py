"""Explain a chat model's replies by leaving out earlier turns, and test each explanation on the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import DataError
from nlpkit.generation.speaker import Likelihood, checked_likelihoods
from nlpkit.trust.faithfulness import Curve, Faithfulness, mean_scores, scores
from nlpkit.trust.reply_explanation import ExplainedTurn, ReplyExplanation, Speaks, line_of
from nlpkit.trust.served_replies import ExplainableModel, GivenReply
from nlpkit.trust.variants import RANDOM_ORDERS, variants_of

Kept: TypeAlias = frozenset[int]
"""The numbers of the turns that the model reads; 0 is the system prompt."""


@dataclass(frozen=True, kw_only=True)
class RankedTurns:
    """The turns that a model read before a reply, those that add most first."""

    text: str
    """The reply."""
    order: list[int]

    def leaving_out(self, order: Sequence[int], size: int) -> Kept:
        """Return the turns without the first ones of an order."""
        return frozenset(order[size:])

    def keeping(self, order: Sequence[int], size: int) -> Kept:
        """Return only the first turns of an order."""
        return frozenset(order[:size])


class ReplyExplainer:
    """Explains replies of a chat model.

    Args:
        model: the chat model.
        orders: how many random orders of the turns an explanation is compared with.
        seed: of the replies that the model gives, and of the random orders.
    """

    def __init__(self, model: ExplainableModel, *, orders: int = RANDOM_ORDERS, seed: int = 1) -> None:
        self.model = model
        self.orders = orders
        self.seed = seed

    @property
    def name(self) -> str:
        """The run's name."""
        return self.model.name

    def explain(self, conversation: Conversation) -> ReplyExplanation:
        """Explain the reply at the end of a conversation; where a user speaks last, the model replies first.

        Raises:
            DataError: the conversation or its reply is empty, nothing stands before the reply, or the reply
                and the turn before it do not fit in the window.
            RunError: the model answers with no likelihood.
        """
        where = conversation.where or "the conversation"
        history, reply = self._replied(self.model.prompted(conversation), where)
        shown = self.model.read(history, reply.text)
        unread = len(history.turns) - len(shown.turns)
        read = numbers_of(shown)
        known: dict[Kept, Likelihood] = {}

        def rated(kept: Kept) -> Likelihood:
            if kept not in known:
                try:
                    (known[kept],) = checked_likelihoods(self.model, only(shown, kept), [reply.text])
                except DataError as error:
                    raise DataError(f"{where}: {error}") from None
            return known[kept]

        whole = rated(frozenset(read))
        lost = {number: whole.total - rated(frozenset(read) - {number}).total for number in read}
        weights = {number + unread if number else 0: weight for number, weight in lost.items()}
        return ReplyExplanation(
            reply=reply.text,
            tokens=whole.tokens,
            log_likelihood=whole.total,
            base=rated(frozenset()).total,
            turns=_explained(history, weights, whole.tokens),
            faithfulness=self._faithfulness(reply.text, lost, rated),
            is_generated=len(history.turns) == len(conversation.turns),
            is_cut=reply.is_cut,
            where=conversation.where,
        )

    def _replied(self, conversation: Conversation, where: str) -> tuple[Conversation, GivenReply]:
        """Return what stands before the reply, and the reply, which the model gives now if there is none."""
        turns = conversation.turns
        if not turns:
            raise DataError(f"{where}: it has no messages; expected a message to reply to")
        if turns[-1].role == "user":
            if not turns[-1].text.strip():
                raise DataError(f"{where}: its last message is empty; expected one to reply to")
            given = self.model.answer(conversation, seed=self.seed)
            if not given.text:
                raise DataError(f"{where}: the model replied nothing, so that there is nothing to explain")
            return conversation, given
        if not turns[-1].text.strip():
            raise DataError(f"{where}: its last message, the reply, is empty; expected a text to explain")
        if len(turns) == 1 and not conversation.system:
            raise DataError(
                f"{where}: nothing stands before the reply; expected a message or a system prompt before it"
            )
        return replace(conversation, turns=turns[:-1]), GivenReply(text=turns[-1].text, is_cut=False)

    def _faithfulness(
        self, reply: str, weights: dict[int, float], rated: Callable[[Kept], Likelihood]
    ) -> Faithfulness:
        """Return what the reply loses along the order of the weights, and along random orders."""
        order = sorted(weights, key=lambda number: (-weights[number], number))
        variants = variants_of(RankedTurns(text=reply, order=order), orders=self.orders, seed=self.seed)
        base = rated(frozenset()).total

        def curve(kept: Sequence[Kept]) -> Curve:
            each = map(rated, kept)
            return Curve(
                sizes=variants.sizes,
                shares=tuple((likelihood.total - base) / likelihood.tokens for likelihood in each),
            )

        return Faithfulness(
            scores=scores(curve(variants.removing), curve(variants.keeping)),
            random=mean_scores([curve(kept) for kept in variants.random]),
        )


def numbers_of(history: Conversation) -> list[int]:
    """Return the numbers of what can be left out: 0 for the system prompt, and the turns from 1."""
    return list(range(0 if history.system else 1, len(history.turns) + 1))


def only(history: Conversation, kept: Kept) -> Conversation:
    """Return a history in which all other messages are empty; its system prompt goes if it is not kept.

    An empty message keeps its place and its role: some templates refuse two messages of one side in a row,
    and a reply needs a message to answer.
    """
    turns = (
        turn if number in kept else Turn(role=turn.role, text="")
        for number, turn in enumerate(history.turns, 1)
    )
    return replace(history, turns=tuple(turns), system=history.system if 0 in kept else "")


def _explained(history: Conversation, weights: dict[int, float], tokens: int) -> tuple[ExplainedTurn, ...]:
    """Return all turns with their weights; `tokens` are those of the reply."""
    spoken: list[tuple[int, Speaks, str]] = [(0, "system", history.system)] if history.system else []
    spoken += [(number, turn.role, turn.text) for number, turn in enumerate(history.turns, 1)]
    turns: list[ExplainedTurn] = []
    start = 0
    for number, role, text in spoken:
        end = start + len(line_of(role, text))
        weight = weights.get(number)
        turns.append(
            ExplainedTurn(
                number=number,
                role=role,
                text=text,
                weight=weight,
                per_token=None if weight is None else weight / tokens,
                start=start,
                end=end,
            )
        )
        start = end + 1
    return tuple(turns)
