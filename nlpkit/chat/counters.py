"""The server's counters for Prometheus: only numbers, no text, no name and no address."""

from __future__ import annotations

from collections.abc import Callable

from nlpkit.generation.completion import Usage

PATHS = frozenset(
    {
        *("/v1/chat/completions", "/v1/feedback", "/v1/models", "/v1/score", "/v1/systemone"),
        *("/health", "/metrics"),
    }
)
"""Other paths are counted together, so that requests for random paths cannot fill the memory."""

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class ServerCounters:
    """The counters of one server.

    Args:
        waiting: returns how many answers are being made or waiting.
        more: returns further metrics in Prometheus' text format.
    """

    def __init__(self, waiting: Callable[[], int], more: Callable[[], str] = lambda: "") -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry, self._more = CollectorRegistry(), more
        self._requests = Counter(
            "nlpkit_requests", "Requests answered.", ["path", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "nlpkit_request_seconds",
            "From a request to the end of its answer.",
            ["path"],
            registry=self._registry,
            buckets=SECONDS,
        )
        self._first = Histogram(
            "nlpkit_first_token_seconds",
            "From a question to the first token.",
            registry=self._registry,
            buckets=SECONDS,
        )
        self._tokens = Counter(
            "nlpkit_tokens", "Tokens read, found in the cache, and made.", ["kind"], registry=self._registry
        )
        self._texts = Counter("nlpkit_texts_scored", "Texts scored.", registry=self._registry)
        Gauge("nlpkit_queue", "Answers being made or waiting.", registry=self._registry).set_function(waiting)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        known = path if path in PATHS else "other"
        self._requests.labels(known, str(status)).inc()
        self._seconds.labels(known).observe(seconds)

    def answer(self, usage: Usage | None) -> None:
        """Count a reply and its tokens."""
        if usage is None:
            return
        self._first.observe(usage.first_token_seconds)
        for kind, count in (
            ("prompt", usage.prompt_tokens),
            ("cached", usage.cached_tokens),
            ("new", usage.new_tokens),
        ):
            self._tokens.labels(kind).inc(count)

    def scored(self, texts: int) -> None:
        """Count scored texts."""
        self._texts.inc(texts)

    def page(self) -> tuple[bytes, str]:
        """Return the page that Prometheus reads, and its media type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._registry) + self._more().encode(), CONTENT_TYPE_LATEST
