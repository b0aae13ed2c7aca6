"""Personal data and secrets in texts: found by pattern and checksum or by presidio, and masked."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from nlpkit.errors import optional

Detector: TypeAlias = Literal["patterns", "presidio"]
Scan: TypeAlias = Callable[[str], tuple[str, Counter[str]]]
"""A text -> the text with personal data masked, and how often each kind was found."""

# Every repetition is bounded or cannot match in two ways, so that no text makes a search slow.
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "access token",
        re.compile(
            r"\b(?:hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|sk-[\w-]{20,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,})"
        ),
    ),
    ("e-mail", re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[^\W_](?:[\w-]{0,62})\.){1,8}[^\W\d_]{2,24}\b")),
    (
        "IP address",
        re.compile(
            r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4})(?![\w:]|\.\d)"
        ),
    ),
    ("card number", re.compile(r"(?<![\w.,-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\w-])")),
    (
        "phone",
        re.compile(
            r"(?<![\w+.,-])(?:"
            r"(?:\+|00)[1-9](?:[ .()/-]{0,2}\d){7,14}"  # international
            r"|\(\d{3}\) ?\d{3}[-. ]\d{4}|\d{3}([-. ])\d{3}\1\d{4}"  # North American
            r"|0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,4}"  # national, with a trunk zero
            r")(?![\w-]|\.\d)"
        ),
    ),
)
_POSSIBLE = re.compile(r"[\d@]|hf_|sk-|xox|gh[pousr]_|github_pat_|::")


def scan(text: str) -> tuple[str, Counter[str]]:
    """Mask e-mail and IP addresses, phone and card numbers and access tokens in a text, and count them."""
    counts: Counter[str] = Counter()
    if not _POSSIBLE.search(text):
        return text, counts
    for kind, pattern in _PATTERNS:

        def masked(match: re.Match[str], kind: str = kind) -> str:
            if not _is_real(kind, match.group()):
                return match.group()
            counts[kind] += 1
            return f"[{kind}]"

        text = pattern.sub(masked, text)
    return text, counts


def scanner(detector: Detector) -> Scan:
    """Return what finds personal data: patterns, or presidio on top of them (IBAN and numbers of many
    countries).

    Raises:
        ConfigError: presidio is not installed.
    """
    return _with_presidio() if detector == "presidio" else scan


def luhn(digits: str) -> bool:
    """Verify the check digit of a card number (ISO/IEC 7812-1); anything but digits is ignored."""
    numbers = [int(digit) for digit in reversed(digits) if digit in "0123456789"]
    doubled = [divmod(2 * number, 10) for number in numbers[1::2]]
    return (sum(numbers[::2]) + sum(tens + ones for tens, ones in doubled)) % 10 == 0


def _is_real(kind: str, match: str) -> bool:
    if kind == "card number":
        return luhn(match)
    if kind == "IP address":
        # A lone "::" or "a::" is more often a typing habit than an address.
        return (":" not in match or len(match) >= 6) and _is_address(match)
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# E-mail and URL recognizers fetch a list of domains from the network; our own pattern needs none.
# Dates and web pages are not personal.
_NOT_LOADED = ("EmailRecognizer", "UrlRecognizer", "SpacyRecognizer", "DateRecognizer")


def _with_presidio() -> Scan:
    """Set up presidio's recognizers without a language model: they find numbers and codes, not names."""
    presidio = optional("presidio_analyzer", extra="pii")
    blank = optional("spacy", extra="pii").blank("en")
    engine: Any = optional("presidio_analyzer.nlp_engine", extra="pii")

    class Blank(engine.SpacyNlpEngine):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
            self.nlp = {"en": blank}

    registry = presidio.RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    for name in _NOT_LOADED:
        registry.remove_recognizer(name)
    analyzer = presidio.AnalyzerEngine(nlp_engine=Blank(), registry=registry, supported_languages=["en"])

    def scan_with_presidio(text: str) -> tuple[str, Counter[str]]:
        text, counts = scan(text)
        results = analyzer.analyze(text=text, language="en", score_threshold=0.4)
        end = len(text) + 1
        for match in sorted(results, key=lambda match: (-match.end, match.start)):
            if match.end <= end:  # overlapping finds count once
                kind = match.entity_type.lower().replace("_", " ")
                counts[kind] += 1
                text, end = f"{text[: match.start]}[{kind}]{text[match.end :]}", match.start
        return text, counts

    return scan_with_presidio
