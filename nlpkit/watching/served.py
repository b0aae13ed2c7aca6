"""A classifier that is served: each text that it answers is watched."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Sequence

from nlpkit.errors import DataError
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.prediction import Prediction
from nlpkit.watching.page import watcher_metrics
from nlpkit.watching.reference import TextAnswers
from nlpkit.watching.rows import probabilities_of, tokens_of
from nlpkit.watching.state import Watch

SAVED_EVERY = 60.0
"""Seconds after which the state is written again, if there are new texts."""


class WatchedClassifier:
    """Predicts as the classifier of a watch does, one caller at a time, and watches the texts.

    Args:
        watch: where it stands; goes on with each text.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch, self._saved = watch, time.monotonic()
        self.name: str = watch.classifier.name

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return the prediction for each text, and watch them in this order, with the date of today (UTC)."""
        classifier, watcher = self._watch.classifier, self._watch.watcher
        predictions = classifier.predict(texts)
        answers = TextAnswers(
            probabilities=probabilities_of(predictions, watcher.reference.labels),
            tokens=tokens_of(classifier, texts),
        )
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        watcher.see(answers, [today] * len(texts))
        if time.monotonic() - self._saved >= SAVED_EVERY:
            self._saved = time.monotonic()
            try:
                self._watch.save()
            except DataError as error:  # a client gets its answer all the same
                logging.getLogger(__name__).warning("%s", error)
        return predictions

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Return the ids of each text."""
        return self._watch.classifier.encode(texts)

    def metrics(self) -> str:
        """Return texts, alarms and evidence in Prometheus' text format."""
        return watcher_metrics(self._watch.watcher)
