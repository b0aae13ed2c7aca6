from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nlpkit.errors import DataError
from nlpkit.tasks.prediction import Prediction
from nlpkit.watching.naming import CONFIDENCE_LOSS, COVARIATE_SHIFT, LABEL_SHIFT, diagnose, radius
from nlpkit.watching.page import summary, to_metrics, watch_report
from nlpkit.watching.reference import Reference, TextAnswers
from nlpkit.watching.served import WatchedClassifier
from nlpkit.watching.state import Watch
from nlpkit.watching.watch import watched
from nlpkit.watching.watcher import Watcher

LABELS = ("negative", "positive")


def texts(
    count: int, seed: int, *, positive: float = 0.5, words: int = 50, sure: float = 2.0, truth: bool = True
) -> TextAnswers:
    """Two labels; a text's tokens are drawn from so many words, and the logit is about +-sure."""
    random = np.random.default_rng(seed)
    label = (random.random(count) < positive).astype(int)
    logit = (2 * label - 1) * sure + random.normal(size=count)
    p = 1 / (1 + np.exp(-logit))
    return TextAnswers(
        probabilities=np.stack([1 - p, p], axis=1),
        tokens=[random.integers(words, size=random.integers(5, 30)).tolist() for _ in range(count)],
        truth=label if truth else None,
    )


def watcher(*, with_truth: bool = False) -> Watcher:
    reference = Reference.of(texts(1000, 1), LABELS, source="reference.csv", seed=1)
    return Watcher(reference, rate=0.01, with_truth=with_truth, seed=1)


def test_nothing_changes_and_nothing_is_said() -> None:
    watching = watcher()
    watching.see(texts(2000, 2, truth=False))
    assert not watching.alarms
    assert diagnose(watching).kinds == ()
    lines = summary(watched(watching, run="mine", against="reference.csv"))
    assert lines[0].startswith("No change in 2,000 texts, compared with 1,000 rows of reference.csv.")


@pytest.mark.parametrize("with_truth", [False, True])
@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"positive": 0.8}, LABEL_SHIFT),
        ({"words": 80}, COVARIATE_SHIFT),
        ({"sure": 1.2}, CONFIDENCE_LOSS),
    ],
)
def test_a_change_is_found_named_and_dated(change: dict[str, float], kind: str, with_truth: bool) -> None:
    watching = watcher(with_truth=with_truth)
    watching.see(texts(1000, 2, truth=with_truth), ["2026-03-01"] * 1000)
    assert not watching.alarms
    watching.see(texts(1000, 3, truth=with_truth, **change), ["2026-03-02"] * 1000)
    assert watching.alarms
    found = diagnose(watching)
    assert found.kinds == (kind,)
    assert abs(found.since - 1000) < 200
    alarm = watching.alarms[0]
    assert (
        f"likely since text {alarm.since:,} (2026-03-0" in summary(watched(watching, run="m", against="r"))[0]
    )
    assert alarm.since <= alarm.text
    if kind == LABEL_SHIFT:
        (size,) = [size for size in found.labels if size.label == "positive"]
        assert size.low <= 0.8 <= size.high


def test_a_watch_goes_on_where_it_stood() -> None:
    whole, first = watcher(), watcher()
    stream = texts(600, 2, positive=0.6, truth=False)
    whole.see(stream)
    first.see(stream.taken(slice(0, 333)))
    tree = {"watcher": first.as_dict(), "against": vars(first.reference)}
    kept = json.loads(json.dumps(tree, default=lambda array: array.tolist()))
    second = Watcher.from_dict(Reference.from_dict(kept["against"]), kept["watcher"])
    second.see(stream.taken(slice(333, 600)))
    assert second.alarms == whole.alarms
    assert second.periods[-1].evidence == pytest.approx(whole.periods[-1].evidence)


def test_the_memory_does_not_grow_with_the_stream() -> None:
    watching = watcher()
    for seed in range(15):
        watching.see(texts(1000, seed, truth=False))
    assert len(watching.periods) <= 200
    assert sum(period.texts for period in watching.periods) == 15_000


def test_texts_that_come_one_by_one_are_kept_as_those_of_a_file() -> None:
    whole, single = watcher(), watcher()
    stream = texts(200, 2, truth=False)
    whole.see(stream)
    for number in range(200):
        single.see(stream.taken(slice(number, number + 1)))
    assert [(period.first, period.texts) for period in single.periods] == [
        (1, 64),
        (65, 64),
        (129, 64),
        (193, 8),
    ]
    assert single.periods[-1].evidence == pytest.approx(whole.periods[-1].evidence)
    assert single.periods[0].sums == pytest.approx(whole.periods[0].sums)


def test_small_references_are_refused() -> None:
    with pytest.raises(DataError, match="100 rows; expected at least 200"):
        Reference.of(texts(100, 1), LABELS, source="reference.csv", seed=1)
    with pytest.raises(DataError, match="0 rows of 'positive'; expected at least 20"):
        Reference.of(texts(300, 1, positive=0.0), LABELS, source="reference.csv", seed=1)


def test_measures_are_surprisal_length_and_certainty() -> None:
    reference = Reference(
        labels=LABELS, surprisals={1: 2.0, 2: 4.0}, unseen=9.0, edges=np.zeros(1),
        is_fresh=np.zeros(0, dtype=bool), probabilities=np.zeros((0, 2)),
        measures=np.zeros((0, 3)), truth=None,
    )  # fmt: skip
    measured = reference.measured(
        TextAnswers(probabilities=np.array([[0.2, 0.8], [0.6, 0.4]]), tokens=[[1, 2, 7], []])
    )
    assert measured.tolist() == [pytest.approx([5.0, np.log(4), 0.8]), pytest.approx([0.0, 0.0, 0.6])]


def test_a_confidence_sequence_narrows_with_the_root_of_the_texts() -> None:
    # of 500 texts wider than the interval at one time, 2.58 / sqrt(500), for holding at all times
    assert 2.576 / 500**0.5 < radius(500, 1.0) < 2 * 2.576 / 500**0.5
    assert radius(2000, 1.0) < 0.6 * radius(500, 1.0)


def test_a_page_and_figures_for_prometheus() -> None:
    watching = watcher()
    watching.see(texts(800, 2, positive=0.9, truth=False), ["2026-03-01"] * 800)
    found = watched(watching, run="mine", against="reference.csv")
    page = watch_report(found).to_html()
    assert "Changed: label shift" in page
    assert "2026-03-01" in page
    metrics = to_metrics(found)
    assert 'nlpkit_watch_alarm{detector="labels"} 1' in metrics
    assert "nlpkit_watch_texts 800\n" in metrics


def test_a_served_text_is_answered_though_the_state_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nlpkit.watching.served.SAVED_EVERY", -1)
    monkeypatch.setattr("nlpkit.watching.served.tokens_of", lambda classifier, texts: [[1, 2]] * len(texts))
    (tmp_path / "file").write_text("")
    answer = Prediction(label="positive", score=0.5, probabilities={"negative": 0.25, "positive": 0.75})
    classifier: Any = SimpleNamespace(name="mine", predict=lambda texts: [answer] * len(texts))
    watch = Watch(
        classifier=classifier, watcher=watcher(), state=tmp_path / "file" / "watch.json", belongs={}, seen={}
    )
    assert WatchedClassifier(watch).predict(["a text", "another"]) == [answer, answer]
    assert watch.watcher.texts == 2
    assert "watch.json: cannot be written: " in caplog.text
    with pytest.raises(DataError, match=r"it holds what was watched before; hint: "):
        watch.save()
