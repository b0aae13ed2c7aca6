import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nlpkit.data.examples import LabeledText
from nlpkit.errors import ConfigError, DataError
from nlpkit.models.pretrained import load_tokenizer
from nlpkit.settings.data import ConversationData, ConversationSource, Data, DataSource
from nlpkit.settings.training import ClassifierTraining
from nlpkit.tasks.aspects import Aspects
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.tasks.intensity import Intensity
from nlpkit.tasks.polarity import Polarity
from nlpkit.training.preflight import preflight
from nlpkit.training.rows import Rows, TrainingRow, encode, load_rows
from nlpkit.training.swaps import swapped_rows
from tests.conftest import sentences, train_toy, write_csv

TWO = Polarity(labels=("negative", "positive"))


def data(train: Path, **settings: object) -> Data:
    return Data(train=(DataSource(source=str(train)),), **{"near_duplicates": 1.0, **settings})


def examples(*pairs: tuple[str, str]) -> tuple[LabeledText, ...]:
    return tuple(LabeledText(text=text, label=label) for text, label in pairs)


def test_shares_are_split_off_and_files_are_kept_apart(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", sentences(100))
    rows = load_rows(TWO, data(train, validation=0.2, test=0.1), seed=1)
    assert [len(part) for part in (rows.train, rows.validation, rows.test)] == [70, 20, 10]
    assert load_rows(TWO, data(train, validation=0.2, test=0.1), seed=1).describe() == rows.describe()
    assert load_rows(TWO, data(train, validation=0.2, test=0.1), seed=2).describe() != rows.describe()


def test_a_training_row_that_stands_in_a_held_out_file_is_dropped_and_counted(tmp_path: Path) -> None:
    pairs = sentences(60)
    train = write_csv(tmp_path / "train.csv", pairs)
    held = write_csv(tmp_path / "held.csv", [(pairs[0][0].upper() + "!", "negative"), *sentences(20, seed=9)])
    rows = load_rows(TWO, data(train, validation=(DataSource(source=str(held)),)), seed=1)
    assert pairs[0][0] not in {row.text for row in rows.train}
    assert rows.dropped == 60 - len(rows.train) >= 1
    assert len(rows.validation) == 21


def test_a_limit_takes_so_many_rows_by_the_seed(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", sentences(100))
    limited = Data(train=(DataSource(source=str(train), limit=40),), validation=0.25, near_duplicates=1.0)
    first, again, other = (load_rows(TWO, limited, seed=seed) for seed in (1, 1, 2))
    assert len(first.train) + len(first.validation) == 40
    assert first.describe() == again.describe() != other.describe()


def test_what_does_not_fit_is_cut_from_the_end_and_counted(tiny_base: Path) -> None:
    tokenizer = load_tokenizer(tiny_base)
    long, short = encode(examples(("good " * 10, "positive"), ("bad", "negative")), TWO, tokenizer, 8)
    assert (len(long.input_ids), long.cut, long.target) == (8, 4, [1.0])
    assert long.input_ids == tokenizer("good " * 6)["input_ids"]
    assert (len(short.input_ids), short.cut, short.target) == (3, 0, [0.0])


def test_weights_are_scaled_to_average_one(tiny_base: Path) -> None:
    rows = [LabeledText(text="good", label="positive", weight=weight) for weight in (0.2, 0.6)]
    assert [one.weight for one in encode(rows, TWO, load_tokenizer(tiny_base), 8)] == pytest.approx(
        [0.5, 1.5]
    )


def encoded(cut: int = 0, weight: float = 1.0) -> TrainingRow:
    return TrainingRow(input_ids=[2, 5, 3], target=[1.0], weight=weight, cut=cut)


BASE: Any = SimpleNamespace(max_tokens=8, tokenizer=SimpleNamespace(unk_token_id=None))


def weights() -> Any:
    """A model of 100 weights, 25 of which are trained."""
    from torch import nn, zeros

    return nn.ParameterList([nn.Parameter(zeros(25)), nn.Parameter(zeros(75), requires_grad=False)])


def refuse(rows: Rows, train: list[TrainingRow]) -> str:
    with pytest.raises(DataError) as caught:
        preflight(rows, train, BASE, weights(), training=ClassifierTraining(), steps=3)
    assert caught.value.exit_code == 3
    return str(caught.value)


def rows_of(
    task: Polarity | Intensity,
    train: tuple[LabeledText, ...],
    validation: tuple[LabeledText, ...] | None = None,
) -> Rows:
    return Rows(
        task=task, train=train, validation=train if validation is None else validation, test=(), dropped=0
    )


BOTH = examples(("a", "negative"), ("b", "positive"))


def test_preflight_refuses_what_cannot_be_meant() -> None:
    assert "all 1 training texts are cut at 8 tokens; hint" in refuse(rows_of(TWO, BOTH), [encoded(cut=3)])
    assert "weight 0" in refuse(rows_of(TWO, BOTH), [encoded(weight=0)])
    assert "only the label 'positive'" in refuse(rows_of(TWO, BOTH[1:]), [encoded()])
    three = Polarity(labels=("negative", "neutral", "positive"))
    assert "the label 'neutral' of the config never occurs" in refuse(rows_of(three, BOTH), [encoded()])
    assert "no validation rows" in refuse(rows_of(TWO, BOTH, ()), [encoded()])
    flat = (LabeledText(text="a", value=1.0), LabeledText(text="b", value=1.0))
    assert "hold the value 1.0" in refuse(rows_of(Intensity(low=0, high=2), flat), [encoded()])


def test_preflight_says_what_is_learned_cut_and_dropped() -> None:
    train = BOTH * 6 + examples(*[("c", "positive")] * 120)
    facts = preflight(
        rows_of(TWO, train, BOTH),
        [encoded()] * 99 + [encoded(cut=5)] * 33,
        BASE,
        weights(),
        training=ClassifierTraining(),
        steps=7,
    )
    said = "\n".join(facts.lines)
    assert "132 to train on, 2 to choose on, 0 to report on" in said
    assert "negative 6 (5%), positive 126 (95%)" in said
    assert "33 texts (25.0%) lose 165 tokens" in said
    assert "25 of 100 weights (25.0%) in 7 steps" in said
    warned = "\n".join(facts.warnings)
    assert "25% of the training texts are cut" in warned
    assert "'negative' is rare (6 rows); training.class_weights: balanced may help" in warned
    assert "only 2 validation rows" in warned
    assert "only 7 steps, in which little is learned; hint: training.batch_size=8" in warned


@pytest.mark.parametrize(
    ("training", "steps", "expected"),
    [
        ({"batch_size": 8}, 45, ["only 45 steps, in which little is learned; hint: training.epochs=7"]),
        ({}, 100, []),
        ({"max_steps": 1}, 1, []),
    ],
)
def test_too_few_steps_are_warned_of_where_nobody_asked_for_them(
    training: dict[str, int], steps: int, expected: list[str]
) -> None:
    facts = preflight(
        rows_of(TWO, BOTH * 60, BOTH * 60), [encoded()] * 120, BASE, weights(),
        training=ClassifierTraining(**training), steps=steps,
    )  # fmt: skip
    assert [warning for warning in facts.warnings if "steps" in warning] == expected


def test_a_label_that_stands_for_a_missing_one_is_named() -> None:
    train = examples(("a", "negative"), ("b", "positive"), ("c", "NaN"), ("d", "NaN"))
    task = Polarity(labels=("negative", "positive", "NaN"))
    facts = preflight(
        rows_of(task, train, BOTH), [encoded()] * 4, BASE, weights(), training=ClassifierTraining(), steps=7
    )
    assert "the label 'NaN' is what programs write for a missing value (2 rows); hint: remove these rows" in (
        facts.warnings
    )


def test_s14_class_weights_that_are_set_are_not_advised() -> None:
    """S14: the rare label is still reported."""
    train = BOTH * 6 + examples(*[("c", "positive")] * 120)
    training = ClassifierTraining(class_weights="balanced")
    facts = preflight(
        rows_of(TWO, train, BOTH), [encoded()] * 132, BASE, weights(), training=training, steps=7
    )
    assert "the label 'negative' is rare (6 rows)" in facts.warnings


def test_s14_conversations_that_are_left_out_are_counted_not_their_reasons(tmp_path: Path) -> None:
    """S14: of six conversations, two have three speakers, and one has a single turn."""
    turns = ["1,a,hi", "1,b,ho", "1,c,third", "2,a,x", "2,b,y", "2,c,z", "3,a,lonely"]
    turns += ["4,a,good", "4,b,morning", "5,a,how", "5,b,fine", "6,a,who", "6,b,me"]
    path = tmp_path / "talks.csv"
    path.write_text("\n".join(["conversation,speaker,text", *turns]) + "\n", encoding="utf-8")
    source = ConversationSource(source=str(path), bot="second", on_bad="skip")
    rows = load_rows(Dialogue(), ConversationData(train=(source,), validation=0.34, test=0.0), seed=0)
    assert (len(rows.skipped), rows.left_out, len(rows.train) + len(rows.validation)) == (2, 3, 3)
    assert rows.describe()["skipped"] == 3


def test_texts_that_name_a_group_are_trained_on_with_another_one_too(tmp_path: Path) -> None:
    """Copies are in training only: none whose text is near-equal to a held-out one."""
    named = [
        (f"she said that the {word} was fine and good", "positive") for word in ("film", "food", "place")
    ]
    train = write_csv(tmp_path / "train.csv", [*named, *sentences(20)])
    held = write_csv(
        tmp_path / "held.csv",
        [("he said that the film was fine and good", "positive"), *sentences(8, seed=9)],
    )
    source = Data(
        train=(DataSource(source=str(train)),), validation=(DataSource(source=str(held)),), swaps=True,
        near_duplicates=1.0,
    )  # fmt: skip
    rows = load_rows(TWO, source, seed=1)
    copies = [row for row in rows.train if "with groups exchanged" in row.where]
    assert {row.text for row in copies} == {
        "he said that the food was fine and good",
        "he said that the place was fine and good",
    }
    assert {row.label for row in copies} == {"positive"}
    assert rows.swapped is not None
    assert [rows.train[number].text for number in rows.swapped] == [text for text, _ in named[1:]]
    assert rows.train[-2:] == tuple(copies)
    assert rows.describe()["swapped"] == 2
    assert not [row for row in rows.validation if "exchanged" in row.where]
    plain = load_rows(TWO, source.model_copy(update={"swaps": False}), seed=1)
    assert len(plain.train) == len(rows.train) - 2
    assert "swapped" not in plain.describe()


def test_copies_are_refused_where_answers_are_about_places_in_a_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'aspects' has no answers .*hint: data\.swaps=false"):
        swapped_rows([], [], Aspects(), data(tmp_path, swaps=True), seed=1)
    assert swapped_rows([], [], Aspects(), data(tmp_path), seed=1) is None


def test_copies_name_another_group_or_none_where_an_audit_compares_with_none(tmp_path: Path) -> None:
    rows = examples(*((f"A gay couple met at {place}.", "positive") for place in range(40)))
    copies = swapped_rows(rows, [], TWO, data(tmp_path, swaps=True), seed=1)
    assert copies is not None
    without = [copy.text for copy in copies.values() if copy.text.startswith("A couple met")]
    assert len(copies) == 40
    assert 10 < len(without) < 30
    assert all("gay" not in copy.text for copy in copies.values())


def test_preflight_counts_the_copies_and_warns_where_there_are_none() -> None:
    said = []
    for swapped in ((0, 1, 4), (), None):
        rows = replace(rows_of(TWO, BOTH * 60), swapped=swapped)
        facts = preflight(rows, [encoded()] * 120, BASE, weights(), training=ClassifierTraining(), steps=1)
        said.append("\n".join((*facts.lines, *facts.warnings)))
    assert "3 of those to train on are copies with groups of people exchanged" in said[0]
    assert "no training row names a group of people" in said[1]
    assert "of people" not in said[2]


def test_a_training_counts_its_copies_before_it_starts(toy_config: Path, tmp_path: Path) -> None:
    """Of 100 texts 10 name women; those that are trained on are copied."""
    plain = sentences(100)
    named = [(f"she was {text}", label) for text, label in plain[:10]]
    train = write_csv(tmp_path / "train.csv", [*named, *plain[10:]])
    said: list[str] = []
    train_toy(toy_config, f"data.train={train}", "data.swaps=true", check=True, said=said)
    talk = "\n".join(said)
    count = re.search(r"swapped +(\d+) of those to train on are copies", talk)
    assert count is not None
    assert 3 <= int(count[1]) <= 10
    assert f"rows       {60 + int(count[1])} to train on, 20 to choose on, 20 to report on" in talk


def test_folds_report_on_each_row_once_and_train_on_no_near_duplicate(tmp_path: Path) -> None:
    pairs = sentences(60)
    twins = [(f"{text} indeed", label) for text, label in pairs[:10]]
    train = write_csv(tmp_path / "train.csv", [*pairs, *twins])
    settings = data(train, validation=0.1, near_duplicates=0.6)
    seen: list[str] = []
    for number in (1, 2, 3):
        of_fold = Data.model_validate({**settings.model_dump(), "fold": {"number": number, "of": 3}})
        rows = load_rows(TWO, of_fold, seed=1)
        assert len(rows.train) + len(rows.validation) + len(rows.test) == 70
        kept = {row.text for row in (*rows.train, *rows.validation)}
        assert not kept & {f"{row.text} indeed" for row in rows.test}
        assert not {f"{text} indeed" for text in kept} & {row.text for row in rows.test}
        seen += [row.text for row in rows.test]
    assert sorted(seen) == sorted(text for text, _ in [*pairs, *twins])


def test_a_subset_leaves_the_test_rows_and_holds_the_smaller_one_of_its_draw(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", sentences(100))

    def some(rows: int, draw: int) -> Rows[Polarity]:
        return load_rows(
            TWO, data(train, validation=0.1, test=0.2, subset={"rows": rows, "draw": draw}), seed=1
        )

    def texts(rows: Rows[Polarity]) -> set[str]:
        return {row.text for row in (*rows.train, *rows.validation)}

    small, large, other = some(20, 1), some(40, 1), some(20, 2)
    assert [len(part) for part in (small.train, small.validation, small.test)] == [18, 2, 20]
    assert small.test == large.test == other.test
    assert texts(small) < texts(large)
    assert texts(small) != texts(other)
    with pytest.raises(DataError, match=r"subset.rows: 81; expected at most the 80 rows that are not held"):
        some(81, 1)


def test_a_fold_beyond_the_last_or_with_test_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a number from 1 to 3, found 4"):
        data(tmp_path, fold={"number": 4, "of": 3})
    with pytest.raises(ValueError, match=r"fold: reports on a part .* hint: leave out data.test"):
        data(tmp_path, fold={"number": 1, "of": 3}, test=0.1)
