from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from nlpkit.errors import DataError
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.label_tables import confusion_table, each_label_table, mistake, mistakes
from nlpkit.reports.parts import Baseline, Cost, DataCard, SourceCard, Step
from nlpkit.reports.plots import draw
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Plot, Series, Table
from tests.dialogue_sample import sample


def whole() -> Report:
    return Report(
        run="a|b",
        data="reviews",
        task="polarity",
        created=datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC),
        seed=3,
        scores={
            "accuracy": Score(
                value=0.1 + 0.2,
                low=0.25,
                high=1 / 3,
                count=1200,
                title="Accuracy",
                meaning="Share right.",
                percent=True,
            ),
            "auroc": Score(value=None, count=1200, undefined="every row is truly 'a'"),
        },
        sections=(
            confusion_table(("neg", "pos"), ((1, 2), (3, 4))),
            each_label_table([("neg", None, 0.5, 0.0, 2)]),
            mistakes(
                [
                    mistake(
                        text="a secret text \u202e \x07",
                        truth="neg",
                        predicted="pos",
                        confidence=0.9,
                        where="f.csv, row 2",
                    )
                ]
            ),
        ),
        baselines=(
            Baseline(
                name="VADER",
                scores={
                    "accuracy": Score(value=0.2, count=1200, percent=True),
                    "other": Score(value=1.0, count=1),
                },
                tests={
                    "accuracy": PairedTest(
                        metric="accuracy",
                        difference=0.1,
                        low=0.05,
                        high=0.15,
                        p=0.01,
                        count=1200,
                        resamples=1000,
                        mcnemar_p=0.0002,
                    )
                },
            ),
        ),
        curve=(Step(step=1, loss=0.7, epoch=0.1), Step(step=2, metrics={"accuracy": 0.5})),
        data_card=DataCard(
            counts={"train": 5}, dropped={"near-duplicates": 1}, sources=(SourceCard(name="s"),), notes=("n",)
        ),
        cost=Cost(train_seconds=1234.5, texts_per_second=99.9, trainable_parameters=1000),
        config="a: 1\n",
        versions={"torch": "2.13.0"},
    )


def test_json_loses_nothing() -> None:
    assert Report.from_json(whole().to_json()) == whole()
    assert whole().to_json() == Report.from_json(whole().to_json()).to_json()
    assert Report.from_json(sample().to_json()) == sample()


def test_a_report_that_is_broken_or_newer_is_refused_with_the_place() -> None:
    with pytest.raises(DataError, match="not a report that this nlpkit can read: format: Input should be 2"):
        Report.from_json(whole().to_json().replace('"format": 2', '"format": 3'))
    with pytest.raises(DataError, match="the text: Invalid JSON"):
        Report.from_json("{")


def test_parts_that_do_not_fit_one_another_are_refused() -> None:
    series = {"mark": "line", "x": (0,), "y": (1,)}
    plot = {"id": "p", "title": "P", "panels": ({"series": (series,)},), "words": "one point"}
    table = {"id": "t", "title": "T", "columns": ({"name": "a"},), "rows": ((1,),)}
    assert draw(Plot.model_validate(plot)).startswith("<svg")
    Table.model_validate(table)
    for part, change in (
        (Series, {**series, "mark": "histogram", "x": (0, 1), "y": (1, 2)}),
        (Series, {**series, "mark": "line", "x": (0, 1), "y": (1,)}),
        (Series, {**series, "mark": "line", "x": (0,), "y": (1,), "low": (0, 0)}),
        (Series, {**series, "opacity": 2}),
        (Plot, {**plot, "columns": 0}),
        (Plot, {**plot, "height": 1e9}),
        (Table, {**table, "rows": ((), *table["rows"])}),
    ):
        with pytest.raises(ValidationError):
            part.model_validate(change)


@pytest.mark.parametrize(("key", "value"), [("loss", 1e308), ("step", 10**200), ("metrics", {"x": -1e200})])
def test_a_point_that_no_plot_can_show_is_refused_with_the_place(key: str, value: object) -> None:
    tree = json.loads(whole().to_json())
    tree["curve"][0][key] = value
    with pytest.raises(DataError, match=rf"read: curve\.0\.{key}.*: Input should be"):
        Report.from_json(json.dumps(tree))


def test_a_strange_key_does_not_break_the_line_of_its_error() -> None:
    with pytest.raises(DataError, match=r"read: a b: Extra inputs are not permitted$"):
        Report.from_json(whole().to_json().replace("{", '{"a\\n b": 1,', 1))


def test_nan_and_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError):
        Score(value=float("nan"), count=1)
    with pytest.raises(ValidationError):
        Score(value=0.5, count=1, hihg=0.6)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        whole().run = "other"  # type: ignore[misc]


def test_markdown_says_the_numbers() -> None:
    text = whole().to_markdown()
    assert text.startswith("# a\\|b on reviews\n\n1,200 texts, 2024-05-06 07:08 UTC.\n")
    assert "| Accuracy | 30.0% | 25.0% to 33.3% | Share right. |" in text
    assert "| auroc | – |  | every row is truly 'a' |" in text
    assert "## Compared with VADER" in text
    # McNemar's p where there is one; metrics that only the baseline has are left out.
    assert "| Accuracy | 30.0% | 20.0% | +10.0 points (+5.0 to +15.0) | \\< 0.001 |" in text
    assert "other" not in text
    assert "| neg | – | 0.500 | 0.000 | 2 |" in text
    assert "| pos | 3 | 4 |" in text
    assert "| near-duplicates | 1 |" in text
    assert "| Training | 1,234 s |" in text
    assert "| torch | 2.13.0 |" in text


def test_markdown_holds_no_texts() -> None:
    assert "secret" not in whole().to_markdown()


def test_markdown_of_a_bare_report_has_no_empty_sections() -> None:
    text = Report(run="r", data="d", task="intensity", scores={}).to_markdown()
    assert "##" not in text


def test_a_report_shows_itself_in_a_notebook() -> None:
    shown = whole()._repr_html_()
    assert shown.startswith('<iframe title="a|b on reviews" sandbox=""')
    assert shown.count("<") == 2  # the page is inside, escaped
    assert "&lt;!doctype html&gt;" in shown
