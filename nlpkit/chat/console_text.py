"""What the terminal chat prints about a conversation.

Its list, its sentiment, and which turns the model saw.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from nlpkit.chat.messages import Chat
from nlpkit.chat.sentiment import SentimentTrend
from nlpkit.generation.context import Context

MAX_WORDS = 5
"""How many words with an effect on the sentiment are shown."""


def list_lines(chats: Iterable[Chat], current: str | None) -> Iterator[str]:
    """Yield a line for each conversation, with its number."""
    for number, chat in enumerate(chats, start=1):
        mark = "  <- here" if chat.id == current else ""
        yield f"  {number:>3}  {day(chat.updated)}  {chat.title or '(no title)'}{mark}"


def sentiment_lines(trend: SentimentTrend, effects: Sequence[tuple[str, float]]) -> Iterator[str]:
    """Yield a line for each turn of the user, and what can be said: mood, trend, and the words behind."""
    for number, sentiment in enumerate(trend.sentiments, start=1):
        mark = "" if sentiment.is_sure else "  not sure"
        yield f"  {number:>3}  {bar(sentiment.score)}  {sentiment.score:+.2f}{sentiment.certainty}{mark}"
    yield from trend.sentences
    words = sorted(effects, key=lambda effect: -abs(effect[1]))[:MAX_WORDS]
    if words and trend.now is not None and trend.now.is_sure:
        yield "driven by " + ", ".join(f"{word} {change:+.2f}" for word, change in words)


def context_lines(context: Context) -> Iterator[str]:
    """Yield the tokens used, and which turns were recalled or not seen."""
    if not context.is_known:
        yield f"{tokens_sent(context)}; the server decides which turns it reads, and does not report it"
        return
    seen = len(context.seen)
    yield f"{context.tokens:,} tokens of {context.token_budget:,}; {seen} turns seen word for word"
    for what, turns in (("recalled", context.recalled), ("not seen", context.dropped)):
        if turns:
            yield f"{what}: turns {ranges([turn + 1 for turn in turns])}"


def tokens_sent(context: Context) -> str:
    """Return the tokens that were sent to a server, and what counted them."""
    if context.counted_by == "estimate":
        return f"about {context.tokens:,} tokens sent, by an estimate: the server reported no count"
    return f"{context.tokens:,} tokens read, by the server's count"


def bar(score: float, half: int = 10) -> str:
    """Return a score from -1 to 1 as a bar to the left or right of a line."""
    size = round(min(abs(score), 1) * half)
    left, right = ("#" * size, "") if score < 0 else ("", "#" * size)
    return f"{left:>{half}}|{right:<{half}}"


def ranges(numbers: Iterable[int]) -> str:
    """Return ascending numbers in short form: 1-3, 5."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ", ".join(str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}" for span in spans)


def day(seconds: float) -> str:
    """Return a time as date and minute in the local time zone."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
