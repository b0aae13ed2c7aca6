"""What a runtime's weights lose in perplexity and in metrics of replies, compared with the first runtime."""

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
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.decoder import Decoder
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.sampling import Sampling
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.ranking import PERPLEXITY, perplexity_metric
from nlpkit.metrics.ratio import Ratio, ratio_metric
from nlpkit.metrics.replies import REPLY_METRICS
from nlpkit.metrics.score import Score
from nlpkit.prompts.build import encode_conversation
from nlpkit.prompts.template import READ_ONLY
from nlpkit.reports.wording import difference
from nlpkit.settings.data import ConversationSource
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
_SAME: Metric[Ratio] = ratio_metric(
    lambda replies: replies,
    name="same",
    title="Same replies",
    percent=True,
    meaning="Share of replies that equal the first runtime's, to the letter.",
)
_PERPLEXITY: Metric[Ratio] = perplexity_metric(
    lambda replies: replies, title=PERPLEXITY.title, meaning=PERPLEXITY.meaning
)
_SHOWN: tuple[Metric[Any], ...] = (_PERPLEXITY, _SAME, *REPLY_METRICS)
_METRICS = {metric.name: metric for metric in _SHOWN}
EVERY = 7
"""Only each seventh conversation is used: the source is ordered by topic."""


def held_out(source: str) -> Sequence[Conversation]:
    """Return conversations of a data set; the default chat model was trained on none of them."""
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
) -> dict[str, dict[str, Any]]:
    """Return the outcomes of each runtime, by metric.

    Args:
        bots: the chat models by runtime; the first is the baseline.
        language: the model whose window says which turns fit.
        source: the data set of the conversations.
        tokens: about how many tokens of conversations the perplexity is measured on.
        replies: how many turns each chat model replies to, greedily.
        talking: called with a line when a chat model is done.
    """
    conversations = held_out(source)
    rows = _rows(conversations, language.tokenizer, tokens)
    items = pick_items(conversations, items=replies, candidates=2, seed=SEED, reach=reach_of(language)).items
    tools = load_instruments()
    outcomes_of: dict[str, dict[str, Any]] = {}
    first: list[str] | None = None
    for name, bot in bots.items():
        texts = [_reply(bot, item) for item in items]
        first = texts if first is None else first
        same = Ratio.of([ours == reply for ours, reply in zip(texts, first, strict=True)])
        measured = tools.measure(texts, [item.reply for item in items])
        outcomes = {metric.name: measured for metric in REPLY_METRICS if metric.undefined(measured) is None}
        outcomes_of[name] = {"perplexity": _perplexity(bot.scheduler.decoder, rows), "same": same, **outcomes}
        talking(
            f"{name}: perplexity {_PERPLEXITY.value(outcomes_of[name]['perplexity']):.2f}, "
            f"{_SAME.value(same):.0%} of {len(items)} replies unchanged"
        )
    return outcomes_of


def lines(measured: dict[str, dict[str, Any]]) -> list[str]:
    """Return a table with a row for each metric, a column for each runtime, and the differences."""
    names = list(measured)
    rows = []
    for key in SHOWN:
        if key not in measured[names[0]]:
            continue
        scores = [scored(key, measured[name][key]) for name in names]
        cells = [scores[0].title, scores[0].shown_with_interval]
        for name, score in zip(names[1:], scores[1:], strict=True):
            test = paired(_METRICS[key], measured[name][key], measured[names[0]][key], seed=SEED)
            cells.append(f"{score.shown(score.value)} ({difference(score, test)})")
        rows.append(cells)
    return table(("", *names), rows)


def scored(name: str, outcomes: Any) -> Score:
    """Return the score of that name."""
    return bootstrap(outcomes, [_METRICS[name]], seed=SEED)[name]


def _rows(
    conversations: Sequence[Conversation], tokenizer: Any, tokens: int
) -> list[tuple[list[int], list[int]]]:
    rows: list[tuple[list[int], list[int]]] = []
    for conversation in conversations:
        rows += [(row.input_ids, row.labels) for row in encode_conversation(conversation, tokenizer, 256)]
        if sum(len(ids) for ids, _ in rows) >= tokens:
            break
    return rows


def _perplexity(decoder: Decoder, rows: Sequence[tuple[list[int], list[int]]]) -> Ratio:
    """Return the loss of the replies, by conversation, reading token by token as the chat does."""
    import numpy as np

    losses, counts = [], []
    for ids, labels in rows:
        cache, total, count = decoder.new_cache(), 0.0, 0
        for token, label in zip(ids, labels[1:], strict=False):
            logits = decoder.read(cache, [token]).astype(np.float64)
            if label != READ_ONLY:
                total -= logits[label] - logits.max() - math.log(np.exp(logits - logits.max()).sum())
                count += 1
        losses.append(total)
        counts.append(count)
    return Ratio.of(losses, counts)


def _reply(bot: Chatbot, item: Item) -> str:
    greedy = Sampling(temperature=0.0, repetition_penalty=1.0, max_new_tokens=60)
    return "".join(bot.stream(item.history, sampling=greedy)).strip()
