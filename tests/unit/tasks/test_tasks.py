import math

import numpy as np
import pytest

from nlpkit.data.examples import LabeledText
from nlpkit.data.records import Record
from nlpkit.errors import DataError, RunError
from nlpkit.settings.data import DataSource
from nlpkit.tasks.answers.differences import Limits
from nlpkit.tasks.intensity import Intensity
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.task import chat_task_from, task_from, text_task_from

THREE = Polarity(labels=("negative", "neutral", "positive"))


def record(**fields: object) -> Record:
    return Record(fields={"text": "fine", **fields}, file="a.csv", row=7)


def source(**settings: object) -> DataSource:
    return DataSource(source="a.csv", **settings)


def test_labels_are_mapped_whatever_type_the_file_gives_them() -> None:
    mapped = source(labels={1: "negative", "5": "positive"})
    assert THREE.parse(record(label=1), mapped).label == "negative"
    assert THREE.parse(record(label="5"), mapped).label == "positive"
    assert THREE.parse(record(label=" neutral "), mapped).label == "neutral"


def test_an_unknown_label_names_row_and_nearest() -> None:
    with pytest.raises(
        DataError, match=r"a.csv, row 7: column 'label' holds the label 'postive'.*did you mean 'positive'"
    ):
        THREE.parse(record(label="postive"), source())


@pytest.mark.parametrize("label", [None, "", "  "])
def test_an_empty_label_is_refused(label: object) -> None:
    with pytest.raises(DataError, match="row 7: column 'label' holds no label"):
        THREE.parse(record(label=label), source())


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="row 7"):
        THREE.parse(record(text=text, label="neutral"), source())


@pytest.mark.parametrize(
    ("value", "label"),
    [(-4, "negative"), (-0.5, "negative"), (-0.4, "neutral"), (0.5, "neutral"), (0.6, "positive")],
)
def test_bins_turn_numbers_into_labels_and_a_cut_point_belongs_below(value: float, label: str) -> None:
    assert THREE.parse(record(label=value), source(bins=(-0.5, 0.5))).label == label


def test_bins_must_fit_the_labels() -> None:
    with pytest.raises(DataError, match="1 cut points in `bins` for 3 labels"):
        THREE.parse(record(label=1), source(bins=(0,)))


def test_a_weight_counts_and_an_empty_one_is_1() -> None:
    weighed = source(weight="sure")
    assert THREE.parse(record(label="neutral", sure="0.25"), weighed).weight == 0.25
    assert THREE.parse(record(label="neutral", sure=None), weighed).weight == 1.0
    with pytest.raises(DataError, match="row 7: column 'sure' holds the weight -1"):
        THREE.parse(record(label="neutral", sure=-1), weighed)


@pytest.mark.parametrize(
    ("labels", "found", "ordered"),
    [
        (["positive", "negative", "neutral"], ("negative", "neutral", "positive"), True),
        (["pos", "neg"], ("neg", "pos"), True),
        (["Positive", "Negative"], ("Negative", "Positive"), True),
        (["10", "9", "1"], ("1", "9", "10"), True),
        (["joy", "anger"], ("anger", "joy"), False),
    ],
)
def test_labels_are_found_in_the_data_and_put_in_order(
    labels: list[str], found: tuple[str, ...], ordered: bool
) -> None:
    task = Polarity().fit([LabeledText(text="x", label=label) for label in labels])
    assert (task.labels, task.ordered) == (found, ordered)
    assert ("score" in task.family.columns) is ordered


def test_one_label_only_is_refused() -> None:
    with pytest.raises(DataError, match="only the label 'positive'; expected at least two"):
        Polarity().fit([LabeledText(text="x", label="positive")])


def test_logits_become_calibrated_probabilities_and_a_signed_score() -> None:
    task = THREE.model_copy(update={"temperature": 2.0})
    (answer,) = task.decode(np.array([[0.0, 0.0, 2 * math.log(2)]]), [])
    # at temperature 2 the odds are 1 : 1 : 2
    assert answer.label == "positive"
    assert list(answer.probabilities.values()) == pytest.approx([0.25, 0.25, 0.5])
    assert answer.score == pytest.approx(0.25)
    assert list(answer.row()) == list(THREE.family.columns)


def test_five_stars_score_on_a_line() -> None:
    (answer,) = Polarity(labels=tuple("12345")).decode(np.array([[-99.0, -99, -99, 0, -99]]), [])
    assert (answer.label, answer.score) == ("4", pytest.approx(0.5))


def test_intensity_scales_its_range_to_minus_one_and_one_and_back() -> None:
    task = Intensity(low=-4, high=4, spread=True)
    example = task.parse(record(label="2", sd="1"), source(spread="sd"))
    assert task.family.target(example) == [0.5, 0.25]
    (answer,) = task.decode(np.array([[0.5, 0.25]]), [])
    assert (answer.value, answer.spread, answer.score) == (2.0, 1.0, 0.5)
    (far,) = task.decode(np.array([[7.0, -1.0]]), [])
    assert (far.value, far.spread) == (4.0, 0.0)
    assert tuple(answer.row()) == tuple(task.family.columns)


def test_intensity_takes_its_range_from_the_data() -> None:
    task = Intensity().fit([LabeledText(text="a", value=1.0), LabeledText(text="b", value=5.0)])
    assert (task.low, task.high) == (1.0, 5.0)
    assert task.family.target(LabeledText(text="c", value=3.0)) == [0.0]
    with pytest.raises(DataError, match="all training rows hold the value 1"):
        Intensity().fit([LabeledText(text="a", value=1.0)])


@pytest.mark.parametrize("value", ["many", None, True, "nan", float("inf")])
def test_what_is_no_number_is_refused_with_its_row(value: object) -> None:
    with pytest.raises(DataError, match=r"a\.csv, row 7: column 'label' holds .* expected a number"):
        Intensity(low=0, high=1).parse(record(label=value), source())


def test_a_value_outside_the_range_is_refused() -> None:
    with pytest.raises(DataError, match=r"holds 9\.0, outside the task's -4\.0 to 4\.0"):
        Intensity(low=-4, high=4).parse(record(label=9), source())


def test_a_task_comes_back_from_its_record() -> None:
    for task in (THREE, Intensity(low=-1, high=2, spread=True), Polarity(labels=("a", "b"), ordered=False)):
        assert task_from(task.model_dump(mode="json")) == task
    with pytest.raises(RunError, match="task 'polarty' is unknown to this nlpkit; did you mean 'polarity'"):
        task_from({"kind": "polarty"})


def test_a_task_of_a_newer_version_says_how_to_read_it() -> None:
    tree = {**THREE.model_dump(mode="json"), "thresholds": [0.5]}
    with pytest.raises(RunError, match=r"'polarity' holds 'thresholds'.*hint: pip install --upgrade nlpkit"):
        task_from(tree)
    with pytest.raises(RunError, match=r"'tones' is unknown.*hint: pip install --upgrade nlpkit"):
        task_from({"kind": "tones"})
    with pytest.raises(RunError, match="'polarity' is damaged: temperature: Input should be greater than 0"):
        task_from({**THREE.model_dump(), "temperature": -1})


def test_each_kind_of_model_takes_its_own_tasks() -> None:
    assert chat_task_from({"kind": "dialogue", "system": "Be brief."}).system == "Be brief."
    with pytest.raises(RunError, match="a run of the task 'polarity'; expected a dialogue run"):
        chat_task_from(THREE.model_dump())
    with pytest.raises(RunError, match="this is a dialogue run"):
        text_task_from({"kind": "dialogue"})


def test_the_temperature_is_the_tasks_and_is_stored_where_it_is_fitted() -> None:
    assert "temperature" not in THREE.model_dump(mode="json")
    logits = np.array([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0], [4.0, 0.0, 0.0]])
    rows = [LabeledText(text="x", label=label) for label in ("negative", "neutral", "positive", "positive")]
    task = THREE.calibrate(logits, rows)
    assert task.temperature > 1
    assert task_from(task.model_dump(mode="json")) == task
    assert Intensity(low=0, high=1).calibrate(logits, rows) == Intensity(low=0, high=1)


@pytest.mark.parametrize(
    ("score", "tone"), [(-0.5, "negative"), (-0.25, "neutral"), (0.3, "positive"), (None, "neutral")]
)
def test_an_answer_is_shown_by_its_family(score: float | None, tone: str) -> None:
    shown = THREE.family.shown(Prediction(label="neutral", score=score, probabilities={"neutral": 1.0}))
    assert (shown.headline, shown.tone, shown.shares) == ("neutral", tone, (("neutral", 1.0),))
    number = Intensity(low=-4, high=4).family.shown(Prediction(value=1.5, score=score))
    assert (number.headline, number.tone, number.shares) == ("+1.50", tone, ())


def test_an_export_of_a_number_may_move_it_by_its_limit() -> None:
    family = Intensity(low=-4, high=4).family
    limits = Limits(changed=0.0, difference=None, accuracy=0.0, value=0.1)
    run = [Prediction(value=value) for value in (-1.0, 1.0)]
    assert family.parity(run, [Prediction(value=value) for value in (-0.95, 1.05)], (), limits).failures == ()
    moved = family.parity(run, [Prediction(value=value) for value in (-0.5, 1.5)], (), limits)
    assert moved.failures == ("values move by 0.5000 standard deviations on average, 0.1 are allowed",)


def test_s3_two_spellings_of_a_label_are_refused_with_the_mapping_to_paste() -> None:
    rows = [("0", 1), ("1", 2), ("0", 3), ("0.0", 4), ("1.0", 5), ("1", 6)]
    examples = [LabeledText(text="t", label=label, where=f"a.csv, row {row}") for label, row in rows]
    with pytest.raises(DataError) as refused:
        Polarity().fit(examples)
    assert str(refused.value) == (
        "a.csv, row 4: one label is written in several ways: '0' and '0.0', '1' and '1.0'; "
        'hint: put `labels: {"0.0": "0", "1.0": "1"}` below the source in the config'
    )
    mapped = source(labels={"0.0": "0", "1.0": "1"})
    read = [Polarity().parse(record(label=label), mapped) for label, _ in rows]
    assert Polarity().fit(read).labels == ("0", "1")


def test_s3_another_spelling_of_a_known_label_gets_the_mapping() -> None:
    with pytest.raises(DataError, match=r'hint: put `labels: \{"Positive": "positive"\}` below the source'):
        THREE.parse(record(label="Positive "), source())
