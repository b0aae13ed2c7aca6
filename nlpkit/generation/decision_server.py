"""A server that answers questions about texts with probabilities: asked with retries, answers verified."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nlpkit.generation.addresses import endpoint, public_address, split_address
from nlpkit.generation.decision_questions import AnswerError, Question
from nlpkit.generation.letter_answers import LetterAnswers
from nlpkit.generation.remote import authorization
from nlpkit.generation.server_errors import (
    ServerError,
    hidden,
    is_page,
    not_a_reply,
    read_text,
    refusal,
    unreachable,
)
from nlpkit.generation.systemone import SystemOne

if TYPE_CHECKING:
    import httpx2

DecisionProtocol: TypeAlias = Literal["systemone", "openai"]

CONNECT_TIMEOUT = 10.0

PAUSE = 0.5
"""Seconds before the first retry; before each further one twice as long."""

PASSING = (408, 409, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed."""


class DecisionError(ServerError):
    """A server gave no valid answer about a text."""

    def __init__(self, message: str, text: str = "") -> None:
        super().__init__(message)
        self.text = text
        """What the server was asked about."""


@contextmanager
def naming_rows(rows: Iterable[tuple[str, str]]) -> Iterator[None]:
    """Let the error about a text begin with its place; `rows` are texts with their places."""
    try:
        yield
    except DecisionError as error:
        row = next((where for text, where in rows if where and error.text in text), None)
        raise DecisionError(f"{row}: {error}" if row else str(error), error.text) from None


class _PassingError(Exception):
    """An error that a retry may cure."""

    def __init__(self, error: ServerError) -> None:
        self.error = error


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a server answered about a text, and what that cost."""

    probabilities: list[list[float]]
    """Of the options of each question, in order."""
    requests: int
    input_tokens: int
    output_tokens: int
    seconds: float


class DecisionServer:
    """A model behind an address up to and with `/v1`, for several threads at once."""

    def __init__(
        self,
        address: str,
        model: str,
        *,
        protocol: DecisionProtocol = "systemone",
        votes: int = 0,
        key: str | None = None,
        timeout: float = 30.0,
        retries: int = 4,
    ) -> None:
        """Name a server; it is not asked before the first question.

        Raises:
            ConfigError: the address or the key is invalid.
        """
        import httpx2

        address, _ = split_address(address)
        self._format = SystemOne() if protocol == "systemone" else LetterAnswers(votes=votes)
        self._endpoint = endpoint(address, self._format.path)
        self.address: str = public_address(self._endpoint)
        self.model = model
        self._key, self._retries = key, retries
        self._client = httpx2.Client(
            headers=authorization(key, self.address),
            timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
        )
        self._timeout = timeout

    def decide(self, text: str, questions: Sequence[Question]) -> Decision:
        """Ask the questions about a text.

        Raises:
            DecisionError: the server cannot be reached, is late, refuses, or answers something else.
        """
        started = time.perf_counter()
        try:
            bodies = self._format.bodies(self.model, text, questions)
            answers = [self._ask(body) for body in bodies]
            probabilities = self._format.read(answers, questions)
        except AnswerError as error:
            hint = "" if "hint:" in str(error) else "; hint: check the address, the model and the protocol"
            raise DecisionError(f"{self.address}: {error}{hint}", text) from None
        except ServerError as error:
            raise DecisionError(str(hidden(error, self._key)), text) from None
        return Decision(
            probabilities=probabilities,
            requests=len(bodies),
            input_tokens=_tokens(answers, "input_tokens", "prompt_tokens"),
            output_tokens=_tokens(answers, "output_tokens", "completion_tokens"),
            seconds=time.perf_counter() - started,
        )

    def close(self) -> None:
        """Close the connections. What is under way is not retried."""
        self._retries = 0
        self._client.close()

    def _ask(self, body: dict[str, Any]) -> Any:
        """Return the JSON that the server answers, after as many retries as it takes."""
        for attempt in range(self._retries + 1):
            try:
                return self._ask_once(body)
            except _PassingError as passing:
                if attempt >= self._retries:
                    raise passing.error from None
                time.sleep(PAUSE * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _ask_once(self, body: dict[str, Any]) -> Any:
        import httpx2

        try:
            with self._client.stream("POST", self._endpoint, json=body) as response:
                if response.status_code != 200:
                    raise self._refused(response)
                text = read_text(response)
        except httpx2.TimeoutException:
            late = f"{self.address}: no answer within {self._timeout:g} s; hint: a longer engine.timeout"
            raise _PassingError(ServerError(late)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise _PassingError(unreachable(self.address, error)) from None
        except ValueError as error:  # of a size or a duration without end
            raise ServerError(f"{self.address}: {error}; hint: check the address") from None
        if is_page(response, text):
            raise not_a_reply(self.address, "<html")
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            beginning = " ".join(text.split())[:80]
            raise AnswerError(f"the answer is not JSON: {beginning!r}") from None

    def _refused(self, response: httpx2.Response) -> Exception:
        error = refusal(response, self.address)
        return _PassingError(error) if response.status_code in PASSING else error


def _tokens(answers: Sequence[Any], *names: str) -> int:
    """Add up what the answers say of their cost; what they don't say counts nothing."""
    usages = [answer.get("usage") for answer in answers if isinstance(answer, dict)]
    counts = [usage.get(name) for usage in usages if isinstance(usage, dict) for name in names]
    return sum(count for count in counts if type(count) is int and count > 0)
