"""The panel next to the chat as HTML: the mood, the words that drive it, and which turns the model sees."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from demo.charts import sentiment_plot, tone
from nlpkit.chat.console_text import tokens_sent
from nlpkit.chat.messages import INTERRUPTED, Chat, ChatMessage
from nlpkit.chat.sentiment import SentimentTrend
from nlpkit.generation.context import Context

ENDINGS = {
    INTERRUPTED: "This reply was interrupted.",
    "stopped": "You stopped this reply.",
    "length": "The reply reached the maximum length and was cut.",
}
"""What is said of replies that the chat model did not end itself."""

MAX_SHOWN = 400
"""Characters of a message whose words are shown; the plot includes all of them."""

FEWEST_EFFECT = 0.05
"""Change of the score, from -1 to 1, below which a word gets no color. A change of 1 gets the full color."""


def sentiment_page(
    trend: SentimentTrend,
    words: Sequence[tuple[str, float]] = (),
    text: str = "",
    *,
    turns: Sequence[int] = (),
) -> str:
    """Return the mood in words, its plot, and the last message with the words that drive it.

    `turns` says which of the user's messages the sentiments are of.
    """
    parts = [f"<h2>Mood</h2>{mood_strip(trend)}{sentiment_plot(trend, turns)}"]
    if words and trend.now is not None and trend.now.is_sure:
        parts.append(f'<p class="words">{colored_words(words, text)}</p>')
        parts.append('<p class="quiet">Your last message: words that <mark class="good">raised</mark> or ')
        parts.append('<mark class="bad">lowered</mark> its score, the stronger the color, the more.</p>')
    return "".join(parts)


def mood_strip(trend: SentimentTrend) -> str:
    """Return the mood in words, behind a dot of its color."""
    if trend.now is None:
        return ""
    dot = f'<span class="dot {tone(trend.now)}" aria-hidden="true"></span>'
    return f'<p class="mood-now">{dot}{escape(" ".join(trend.sentences))}</p>'


def colored_words(words: Sequence[tuple[str, float]], text: str) -> str:
    """Return a text in HTML, each word colored by its effect."""
    parts, end = [], 0
    for word, effect in words:
        start = text.find(word, end)
        if start < 0 or start + len(word) > MAX_SHOWN:
            break
        parts.append(escape(text[end:start]))
        end = start + len(word)
        if abs(effect) < FEWEST_EFFECT:
            parts.append(escape(word))
        else:
            kind, share = ("good" if effect > 0 else "bad"), min(abs(effect), 1.0)
            style = f'style="--effect:{share:.0%}" title="{effect:+.2f}"'
            parts.append(f'<mark class="{kind}" {style}>{escape(word)}</mark>')
    return "".join(parts) + ("…" if text[end:].strip() else "")


def context_page(chat: Chat | None, context: Context | None, chat_model: str) -> str:
    """Return how many turns the model sees, a square for each turn, and a list of the unseen turns."""
    head = f'<h2>What the model sees</h2><p class="quiet">{escape(chat_model)}</p>'
    if chat is None or not any(message.role == "assistant" for message in chat.messages):
        return f'{head}<p class="quiet">Nothing yet.</p>'
    by = {message.chat_model for message in chat.messages if message.chat_model}
    if len(by) > 1:
        last = next(message for message in reversed(chat.messages) if message.role == "assistant")
        head += f'<p class="quiet">The last reply is by {escape(last.chat_model)}.</p>'
    if context is None:
        return f'{head}<p class="quiet">A server answered; it does not report which turns it reads.</p>'
    if not context.is_known:
        words = f"{tokens_sent(context)}. The server decides which turns it reads, and does not report it."
        return f'{head}<p class="seen-count">{escape(words[:1].upper() + words[1:])}</p>'
    # the context describes the turns before the last reply
    turns = chat.conversation.turns[: len(context.seen) + len(context.recalled) + len(context.dropped)]
    seen, recalled = set(context.seen), set(context.recalled)
    words = f"{len(seen):,} of {len(turns):,} turns"
    if recalled:
        words += f", {len(recalled):,} recalled"
    if context.dropped:
        words += f", {len(context.dropped):,} no longer"
    share = min(1.0, context.tokens / context.token_budget) if context.token_budget else 1.0
    squares = "".join(
        f'<span class="{state}" title="turn {number + 1}, {turn.role}: {state}"></span>'
        for number, turn in enumerate(turns)
        if (state := _state(number, seen, recalled))
    )
    parts = [
        head,
        f'<p class="seen-count">{words}; {context.tokens:,} of {context.token_budget:,} tokens.</p>',
        f'<div class="budget" aria-hidden="true"><span style="width:{100 * share:.1f}%"></span></div>',
        f'<div class="ledger" role="img" aria-label="{escape(words)}">{squares}</div>',
    ]
    if context.summary:
        parts.append(
            f"<details><summary>Summary of dropped turns</summary><p>{escape(context.summary)}</p></details>"
        )
    unseen = [number for number in range(len(turns)) if number not in seen]
    if unseen:
        rows = "".join(
            f'<li value="{number + 1}">{escape(turns[number].text[:120])}'
            f"{' (recalled)' if number in recalled else ''}</li>"
            for number in unseen[-50:]
        )
        parts.append(f"<details><summary>Turns that it does not see</summary><ol>{rows}</ol></details>")
    return "".join(parts)


def _state(number: int, seen: set[int], recalled: set[int]) -> str:
    return "seen" if number in seen else "recalled" if number in recalled else "dropped"


def status(messages: Sequence[ChatMessage], note: str = "") -> str:
    """Return a line about the last reply: interrupted, stopped, cut, rated.

    `note` says why no reply came, or why it ended early.
    """
    last = messages[-1] if messages else None
    if last is None:
        return escape(note)
    if last.role == "user":
        return f"{escape(note) or 'This message has no reply.'} {_press('retry', 'Retry')}"
    parts = [escape(note)] if note else []
    if last.finish in ENDINGS:
        parts.append(ENDINGS[last.finish])
        # A server continues no reply
        is_local = last.context is not None and last.context.counted_by == "model"
        parts += [_press("resume", "Continue")] if is_local else []
        parts += [_press("retry", "Retry")] if last.finish == INTERRUPTED else []
    if last.rating:
        reason = f": {escape(last.reason)}" if last.reason else ""
        parts.append(f"You rated it {'good' if last.rating == 'up' else 'bad'}{reason}.")
    return " ".join(parts)


def _press(button: str, words: str) -> str:
    """Return a button that presses the one with this id; `PRESS` of chat_parts does it."""
    return f'<button type="button" class="press" data-press="{button}">{words}</button>'
