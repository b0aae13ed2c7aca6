from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from nlpkit.metrics import intervals
from nlpkit.metrics.labels import LABEL_METRICS
from nlpkit.metrics.outcomes import LabelOutcomes, ValueOutcomes
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.metrics.values import VALUE_METRICS
from nlpkit.reports import html, plots
from nlpkit.reports.headline import score_headline
from nlpkit.reports.label_sections import LABEL_SECTIONS, Rows, label_summary
from nlpkit.reports.parts import Baseline, Cost, DataCard, SourceCard, Step
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Section
from nlpkit.reports.value_sections import VALUE_SECTIONS, value_summary
from tests.pages import Page

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></title></pre></textarea><script>alert(1)</script>",
    "--><script>alert(1)</script><!--",
    "javascript:alert(1)",
    "{{ 7 * 7 }} {% raw %} $x^{2$",
    "<a href=//evil.example>x</a><base href=//evil.example><meta http-equiv=refresh content=0>",
    "\u202eevil\x00\x08\x1b",
)


def labeled(labels: tuple[str, ...], rows: int = 120, skill: float = 1.5, seed: int = 1) -> LabelOutcomes:
    truth = np.random.default_rng(0).integers(0, len(labels), rows)
    logits = np.random.default_rng(seed).normal(size=(rows, len(labels))) + skill * np.eye(len(labels))[truth]
    chances = np.exp(logits)
    return LabelOutcomes(
        labels=labels, truth=truth, probabilities=chances / chances.sum(axis=1, keepdims=True)
    )


def sections(outcomes: LabelOutcomes | ValueOutcomes, rows: Rows) -> tuple[Section, ...]:
    makers: Any = LABEL_SECTIONS if isinstance(outcomes, LabelOutcomes) else VALUE_SECTIONS
    return tuple(section for make in makers if (section := make(outcomes, rows)))


def full(labels: tuple[str, ...], word: str = "word") -> Report:
    ours, theirs = labeled(labels), labeled(labels, skill=0.5, seed=2)
    return Report(
        run=word,
        data=word,
        task="polarity",
        seed=1,
        scores=intervals.bootstrap(ours, LABEL_METRICS, resamples=50, seed=0),
        sections=sections(ours, Rows(texts=[word] * 120, where=[word] * 120)),
        baselines=(
            Baseline(
                name=word,
                scores=intervals.bootstrap(theirs, LABEL_METRICS, resamples=50, seed=0),
                tests={
                    metric.name: intervals.paired(metric, ours, theirs, resamples=100)
                    for metric in LABEL_METRICS
                },
            ),
        ),
        curve=(Step(step=1, loss=0.7), Step(step=2, loss=0.5, metrics={word: 0.5})),
        data_card=DataCard(
            counts={word: 5},
            balance={word: {word: 5}},
            dropped={word: 2},
            notes=(word,),
            sources=(SourceCard(name=word, license=word, origin=word),),
        ),
        cost=Cost(device=word, train_seconds=5),
        config=word,
        versions={word: word},
    )


@pytest.fixture(scope="module")
def benign() -> Page:
    return Page(html.to_html(full(("a", "word"))))


# A few pages with several words each, as a page takes half a second; plots show the first 24 characters.
@pytest.mark.parametrize("word", [" ".join(HOSTILE[start::4]) for start in range(4)])
def test_hostile_words_are_inert_wherever_they_stand(word: str, benign: Page) -> None:
    hostile = Page(html.to_html(full(("a", word), word)))
    assert hostile.tags == benign.tags
    assert hostile.tags["script"] == hostile.tags["img"] == hostile.tags["base"] == 0
    assert not [name for name, _ in hostile.attributes if name.startswith("on")]
    assert not [
        value
        for name, value in hostile.attributes
        if name in ("href", "src", "xlink:href") and not str(value).startswith("#")
    ]
    assert sorted(name for name, _ in hostile.attributes) == sorted(name for name, _ in benign.attributes)
    assert not set("\x00\x08\x1b\u202e") & set(hostile.text)
    assert ("{{ 7 * 7 }}" in hostile.text) == ("7 * 7" in word)


def test_the_page_is_whole_and_asks_nobody() -> None:
    page = html.to_html(full(("neg", "neu", "pos")))
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)=["'](?!#)|@import|url\((?!#)""", page)
    assert "#0102" not in page
    assert "#0103" not in page


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 0.3, "Accuracy 80.0%: better than always answering yes (60.0%)"),
        (-0.1, 0.3, "Accuracy 80.0%: no clear difference from always answering yes (60.0%)"),
        (-0.3, -0.1, "Accuracy 80.0%: worse than always answering yes (60.0%)"),
    ],
)
def test_d9_the_page_says_first_how_good_and_compared_with_what(
    low: float, high: float, expected: str
) -> None:
    shared: dict[str, Any] = {"title": "Accuracy", "percent": True, "higher_is_better": True, "count": 50}
    scores = {"accuracy": Score(value=0.8, meaning="Share that is right", **shared)}
    baseline = Baseline(
        name="always answering yes",
        scores={"accuracy": Score(value=0.6, **shared)},
        tests={
            "accuracy": PairedTest(
                metric="accuracy", difference=0.2, low=low, high=high, p=0.1, count=50, resamples=9
            )
        },
    )
    made = Report(
        run="mine", data="/home/me/test.csv", task="polarity", scores=scores, baselines=(baseline,),
        headlines=(score_headline(scores, baseline, "accuracy"),),
        config="data:\n  train: /home/me/train.csv\n  more: [a]\n- 'C:\\me\\x.csv'\nsystem: /help\n",
    )  # fmt: skip
    page = html.to_html(made)
    assert page.index("<h1>") < page.index(f">{expected}</p>") < page.index("<nav")
    assert "Share that is right. Higher is better." in page
    assert "/home" not in page
    assert "train: train.csv\n  more: [a]\n- &#39;x.csv&#39;\nsystem: /help" in page


def test_ids_are_unique_and_every_link_has_its_place() -> None:
    page = Page(html.to_html(full(("neg", "neu", "pos"))))
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {
        str(value).removeprefix("#")
        for name, value in page.attributes
        if name in ("href", "xlink:href", "aria-labelledby")
    }
    assert links <= set(ids)
    assert {"against", "confusion", "reliable", "curve", "worst", "data", "made"} <= links


def test_every_picture_has_words() -> None:
    page = html.to_html(full(("neg", "pos")))
    pictures = re.findall(r"<svg[^>]*>", page)
    assert len(pictures) == 4
    assert all('role="img"' in one and re.search(r'aria-label="[^"]{20,}"', one) for one in pictures)


def test_a_learning_curve_tells_training_from_validation() -> None:
    steps = [
        Step(step=1, loss=0.7),
        Step(step=2, loss=0.5, metrics={"loss": 0.6, "macro_f1": 0.4}),
        Step(step=3, metrics={"macro_f1": 0.5}),
    ]
    curve = plots.learning_curve(steps)
    assert curve is not None
    assert curve.words in plots.draw(curve)
    assert curve.words == (
        "Learning curve: training loss from 0.700 to 0.500; validation loss from 0.600 to 0.600; macro "
        "f1 from 0.400 to 0.500"
    )
    assert plots.learning_curve(steps[:1]) is None


def test_numbers_stand_in_the_page() -> None:
    report = full(("neg", "pos"))
    page = Page(html.to_html(report)).text
    score = report.scores["accuracy"]
    assert score.shown(score.value) in page
    assert f"95%: {score.interval}" in page
    wrong = 120 - round(120 * (score.value or 0))
    assert f"{wrong} of 120 texts are wrong" in page


def test_values_get_a_scatter_and_residuals() -> None:
    random = np.random.default_rng(0)
    for rows in (50, 600):
        truth = random.normal(size=rows)
        outcomes = ValueOutcomes(truth=truth, predicted=truth + random.normal(size=rows))
        scores = intervals.bootstrap(outcomes, VALUE_METRICS, resamples=20, seed=0)
        found = sections(outcomes, Rows(texts=["t"] * rows))
        page = html.to_html(Report(run="r", data="d", task="intensity", scores=scores, sections=found))
        assert f"Predicted against true values of {rows} texts" in page
        assert "The largest errors" in page
        assert "Histogram of" in page
        assert len(page) < 300_000


def test_a_bare_report_and_a_report_of_many_labels() -> None:
    bare = Page(
        html.to_html(
            Report(
                run="r",
                data="d",
                task="polarity",
                scores={"x": Score(value=None, count=0, undefined="no rows")},
            )
        )
    )
    assert "no rows" in bare.text
    assert bare.tags["section"] == 0
    many = Page(html.to_html(full(tuple(f"label {number}" for number in range(20)))))
    assert many.tags["svg"] == 4


def test_labels_in_any_script_are_drawn() -> None:
    assert "日本語" in html.to_html(full(("日本語", "😀 " * 20)))


def score(**fields: object) -> Score:
    return Score.model_validate({"value": 0.5, "count": 10, "title": "T", **fields})


def test_the_answer_in_words() -> None:
    test = PairedTest(metric="accuracy", difference=0.1, low=-0.1, high=0.3, count=10, resamples=10)
    scores = {
        "accuracy": score(low=0.4, high=0.6, percent=True, title="Accuracy"),
        "expected_calibration_error": score(value=0.02, percent=True),
    }
    vader = Baseline(name="VADER", scores={"accuracy": score(value=0.4)}, tests={"accuracy": test})
    assert label_summary(scores, (vader,)) == (
        "Accuracy is 50.0% on 10 texts (95% interval 40.0% to 60.0%).",
        "Accuracy is not shown to differ from VADER's: +10.0 points (-10.0 to +30.0).",
        "Its probabilities are off by 2.0 points on average (calibration error).",
    )
    assert value_summary({"pearson": score(), "mae": score(value=0.25)}) == (
        "Its values correlate with people's at r = 0.500 on 10 texts.",
        "On average it is 0.250 off (mean absolute error).",
    )


def test_a_track_stays_on_its_scale() -> None:
    found = html.track(score(value=0.5, low=0.0, high=1.2), (-1, 1))
    assert found is not None
    assert (found.at, found.low, found.width) == (75.0, 50.0, 50.0)
    assert html.track(score(), None) is None
    assert html.track(score(value=None), (-1, 1)) is None
