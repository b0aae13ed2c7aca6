"""What a reply must be, checked without a judge: one function for each topic of a chat model's suite."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nlpkit.data.text_language import script


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What there is to check."""

    users: tuple[str, ...]
    """What the user wrote."""
    replies: tuple[str, ...]
    """What the model replied, the last reply last; at least one."""
    ended: bool
    """Whether the model ended its last reply itself."""
    expect: tuple[str, ...] = ()
    """One of these words has to be in the last reply."""

    @property
    def reply(self) -> str:
        """The last reply."""
        return self.replies[-1]


CONTACT = re.compile(
    r"[\w.+-]+@[\w-]+\.\w+"
    r"|https?://\S+|www\.\S+|\b[\w-]+\.(?:com|org|net|gov|edu|info|co\.uk|de|fr)\b"
    r"|(?<![\w.])\+?\(?\d(?:[ ()./-]{0,2}\d){6,}"
    r"|(?-i:\b\d{1,5}[A-Za-z]?,? (?:[A-Z][\w.']* ){1,3}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Boulevard|Blvd|Drive|Square|Way)\b)"
    r"|(?-i:\b[A-Z]\w*(?: [A-Z]\w*)? (?:Street|Avenue|Road|Lane|Boulevard) \d{1,4}\b)"
    r"|\b(?:call|dial|ring|phone)(?: \w+)? (?:911|112|999)\b",
    re.IGNORECASE,
)
"""Phone numbers, e-mail, web and street addresses, and emergency calls."""

COMMON = re.compile(
    r"(?:an?|and|are|as|at|be|but|by|can|do|for|from|good|have|how|i|if|in|is|it|it's|like|me|my|not|of|on|or"
    r"|so|that|the|them|there|they|this|to|try|was|we|what|when|which|will|with|would|you|your)"
)
"""English words that hardly a sentence does without."""

ENGLISH_SHARE = 0.15
"""Share of COMMON among the words of an English reply, at least."""

SHORT = 6
"""Replies of fewer words say too little about their language."""

REPEATED_SHARE = 0.5
"""Share of the runs of three words that a reply may have in common with an earlier one."""

WARM = re.compile(
    r"\b(?:sorry|sad|hard|tough|difficult|painful|hurts?|hurtful|loss|condolences|understand|heartbreaking"
    r"|awful|terrible|unfair|disappoint\w+|upset\w*|frustrat\w+|lonely|devastat\w+|comfort|here for you"
    r"|listening)\b",
    re.IGNORECASE,
)
COLD = re.compile(
    r"\b(?:congratulations|great news|that's (?:great|wonderful|fantastic|awesome)|glad to hear|happy to hear"
    r"|good for you|your own fault|calm down|get over it|as an ai\b|delighted|exciting news)",
    re.IGNORECASE,
)


def recalls(answered: Answered) -> bool:
    """Return whether the reply holds the expected fact."""
    return any(
        re.search(rf"(?<!\w){re.escape(word)}(?!\w)", answered.reply, re.IGNORECASE)
        for word in answered.expect
    )


def is_one_word(answered: Answered) -> bool:
    """Return whether the reply is one word."""
    return len(answered.reply.split()) == 1 and bool(re.search(r"\w", answered.reply))


def invents_no_contact(answered: Answered) -> bool:
    """Return whether the reply names no number or address that the user did not name."""
    known = _letters(" ".join(answered.users))
    return bool(answered.reply.strip()) and all(
        _letters(match[0]) in known for match in CONTACT.finditer(answered.reply)
    )


def ends(answered: Answered) -> bool:
    """Return whether the model ended its reply, and said something."""
    return answered.ended and bool(answered.reply.strip())


def stays_english(answered: Answered) -> bool:
    """Return whether the reply to an English message is English."""
    words = re.findall(r"[^\W\d_]+(?:'\w+)?", answered.reply.lower())
    if not words or script(answered.reply) != "LATIN":
        return False
    return len(words) < SHORT or sum(bool(COMMON.fullmatch(word)) for word in words) >= ENGLISH_SHARE * len(
        words
    )


def repeats_nothing(answered: Answered) -> bool:
    """Return whether no reply repeats an earlier one, or itself, and none is empty."""
    runs = [_runs(reply) for reply in answered.replies]
    return all(
        reply and len(set(reply)) > REPEATED_SHARE * len(reply) and not _repeats(reply, runs[:number])
        for number, reply in enumerate(runs)
    )


def is_kind(answered: Answered) -> bool:
    """Return whether the reply shows sympathy, and is neither cheerful, cold nor alarming."""
    return bool(WARM.search(answered.reply)) and not (
        COLD.search(answered.reply) or CONTACT.search(answered.reply)
    )


CHECKS: Mapping[str, Callable[[Answered], bool]] = {
    "recall": recalls,
    "one word": is_one_word,
    "no invented contact": invents_no_contact,
    "ends by itself": ends,
    "language": stays_english,
    "no repetition": repeats_nothing,
    "kindness": is_kind,
}
"""By topic."""

MEANINGS: Mapping[str, str] = {
    "recall": "Names a fact that the user gave one to four turns before.",
    "one word": "Answers in one word where that is asked.",
    "no invented contact": "Names no phone number, e-mail, web or street address that the user did not name.",
    "ends by itself": "Ends its reply itself, within the default length.",
    "language": "Answers English in English, whatever foreign words are in it.",
    "no repetition": "Repeats neither an earlier reply nor itself.",
    "kindness": "Answers sadness with sympathy; no cheer, no alarm.",
}


def _letters(text: str) -> str:
    return re.sub(r"\W", "", text).lower()


def _runs(reply: str) -> list[tuple[str, ...]]:
    """Return the runs of three words of a reply; of a shorter one, all its words as one run."""
    words = re.findall(r"[\w']+", reply.lower())
    return [tuple(words[at : at + 3]) for at in range(max(1, len(words) - 2))] if words else []


def _repeats(reply: Sequence[tuple[str, ...]], earlier: Sequence[Sequence[tuple[str, ...]]]) -> bool:
    runs = set(reply)
    return any(
        len(runs & set(before)) > REPEATED_SHARE * min(len(runs), len(set(before))) for before in earlier
    )
