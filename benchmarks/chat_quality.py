"""What a runtime's weights lose: held-out perplexity and what its replies are like, beside the first runtime's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.results import table
from nlpkit.data.conversations import conversations_in
from nlpkit.data.examples import Conversation
from nlpkit.evaluation.evaluate_dialogue import reach_of
from nlpkit.evaluation.instruments import load_instruments
from nlpkit.evaluation.items import Item, pick_items
from nlpkit.evaluation.replies import measure_replies
from nlpkit.evaluation.selection import perplexity
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.decoder import Decoder
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.sampling import Sampling
from nlpkit.metrics.sums import Look, Measure, paired, ratio, score
from nlpkit.prompts.build import encode_conversation
from nlpkit.prompts.template import READ_ONLY
from nlpkit.reports.wording import difference
from nlpkit.settings import ConversationSource
from nlpkit.sources import resolve

SEED = 1
SHOWN = (
    "perplexity",
    "same",
    "chrf",
    "token_f1",
    "bertscore",
    "distinct-2",
    "self_repetition",
    "words",
    "hostile",
)
_SAME = Look(
    title="Same replies",
    percent=True,
    meaning="Share of replies that equal the first runtime's, to the letter.",
)
EVERY = 7
"""Conversations lie in their source in the order of their topics."""


def held_out(source: str) -> Sequence[Conversation]:
    """Conversations of a data set; the default bot has learnt none of them."""
    where = ConversationSource(source=source, bot="each", on_bad="skip")
    return conversations_in(resolve(source, kind="data"), where).conversations[::EVERY]


def quality(
    bots: dict[str, Chatbot],
    language: LanguageModel,
    *,
    source: str,
    tokens: int,
    replies: int,
    talking: Callable[[str], None],
) -> dict[str, dict[str, Measure]]:
    """Runtime -> what is measured of it.

    Args:
        bots: the first is the one that the others are compared with.
        language: tells what fits.
        source: where conversations come from.
        tokens: of conversations for the perplexity, about.
        replies: to how many of their turns each bot replies, greedily.
        talking: told as each bot is done.
    """
    conversations = held_out(source)
    rows = _rows(conversations, language.tokenizer, tokens)
    items = pick_items(conversations, items=replies, candidates=2, seed=SEED, reach=reach_of(language)).items
    tools = load_instruments()
    embed = None if isinstance(tools.embed, str) else tools.embed
    negative = None if isinstance(tools.negative, str) else tools.negative
    found: dict[str, dict[str, Measure]] = {}
    first: list[str] | None = None
    for name, bot in bots.items():
        said = [_reply(bot, item) for item in items]
        first = said if first is None else first
        same = ratio(_SAME, [one == other for one, other in zip(said, first, strict=True)])
        measures = measure_replies(said, [item.reply for item in items], embed=embed, negative=negative)
        found[name] = {"perplexity": _perplexity(bot.scheduler._engine, rows), "same": same, **measures}
        talking(
            f"{name}: perplexity {found[name]['perplexity'].value:.2f}, {same.value:.0%} of {len(items)} replies unchanged"
        )
    return found


def lines(found: dict[str, dict[str, Measure]]) -> list[str]:
    """A table: a row a measure, a column a runtime, and how each differs from the first."""
    names = list(found)
    rows = []
    for key in SHOWN:
        if key not in found[names[0]]:
            continue
        looks = [score(found[name][key], seed=SEED) for name in names]
        cells = [looks[0].title, f"{looks[0].shown(looks[0].value)} ({looks[0].interval})"]
        for name, look in zip(names[1:], looks[1:], strict=True):
            test = paired(key, found[name][key], found[names[0]][key], seed=SEED)
            cells.append(f"{look.shown(look.value)} ({difference(look, test)})")
        rows.append(cells)
    return table(("", *names), rows)


def _rows(
    conversations: Sequence[Conversation], tokenizer: Any, tokens: int
) -> list[tuple[list[int], list[int]]]:
    found: list[tuple[list[int], list[int]]] = []
    for conversation in conversations:
        found += [(row.input_ids, row.labels) for row in encode_conversation(conversation, tokenizer, 256)]
        if sum(len(ids) for ids, _ in found) >= tokens:
            break
    return found


def _perplexity(engine: Decoder, rows: Sequence[tuple[list[int], list[int]]]) -> Measure:
    """Of the replies in encoded conversations, a conversation an item, read as chat reads: token after token."""
    import numpy as np

    losses, counts = [], []
    for ids, labels in rows:
        cache, total, count = engine.empty(), 0.0, 0
        for token, label in zip(ids, labels[1:], strict=False):
            logits = engine.read(cache, [token]).astype(np.float64)
            if label != READ_ONLY:
                total -= logits[label] - logits.max() - math.log(np.exp(logits - logits.max()).sum())
                count += 1
        losses.append(total)
        counts.append(count)
    return perplexity(np.array(losses), np.array(counts))


def _reply(bot: Chatbot, item: Item) -> str:
    greedy = Sampling(temperature=0.0, repetition_penalty=1.0, max_new_tokens=60)
    return "".join(bot.stream(item.history, sampling=greedy)).strip()
