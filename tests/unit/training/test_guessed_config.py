"""A config that is guessed from a file: the task, the columns, and that it is valid as it stands."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from nlpkit.errors import DataError
from nlpkit.training.guessed_config import config_name, guess_config
from nlpkit.training.train import read_training

TEXTS = [f"the food was number {number}" for number in range(40)]


def guessed(tmp_path: Path, rows: list[dict[str, Any]], *, ending: str = "jsonl", **given: Any) -> Any:
    """Write rows to a file, guess its config, and return the valid settings and the comments."""
    data, config = tmp_path / f"mine.{ending}", tmp_path / "mine.yaml"
    with data.open("w", encoding="utf-8", newline="") as stream:
        if ending == "jsonl":
            stream.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    config.write_text(guess_config(str(data), **given), encoding="utf-8")
    settings = read_training(config).settings()
    assert settings.name == "mine"
    assert settings.data.test == 0.1
    return settings, config.read_text(encoding="utf-8").partition("recipe:")[0]


def labeled(*labels: Any, text: str = "text", label: str = "label", **more: Any) -> list[dict[str, Any]]:
    return [{text: given, label: labels[number % len(labels)], **more} for number, given in enumerate(TEXTS)]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_labels_whose_order_is_known_are_sorted(tmp_path: Path, ending: str) -> None:
    rows = labeled("Positive", "negative", "neutral", "positive", text="Review", label="Sentiment", id="7")
    settings, comments = guessed(tmp_path, rows, ending=ending)
    assert settings.task.kind == "polarity"
    assert settings.task.labels in {("negative", "neutral", "Positive"), ("negative", "neutral", "positive")}
    (source,) = settings.data.train
    assert (source.text, source.label) == ("Review", "Sentiment")
    assert set(source.labels) in ({"positive"}, {"Positive"})  # as frequent: one is read as the other
    assert "not used: id" in comments


def test_stars_are_labels_and_measurements_are_an_intensity(tmp_path: Path) -> None:
    settings, _ = guessed(tmp_path, labeled(5, 1, 3, label="rating"))
    assert (settings.task.kind, settings.task.labels) == ("polarity", ("1", "3", "5"))
    settings, comments = guessed(tmp_path, labeled(-0.5, 2, 1.25, label="score"))
    assert settings.task.kind == "intensity"
    assert "numbers from -0.5 to 2" in comments
    settings, _ = guessed(tmp_path, labeled(*range(11), label="score"), ending="csv")
    assert settings.task.kind == "intensity"


def test_other_labels_have_no_order_and_many_are_intents(tmp_path: Path) -> None:
    settings, comments = guessed(tmp_path, labeled("refund", "billing", label="category"))
    assert (settings.task.labels, settings.task.ordered) == (("billing", "refund"), False)
    assert "recipe few_shot" in comments
    settings, _ = guessed(tmp_path, labeled(*(f"intent {number}" for number in range(20)), label="intent"))
    assert settings.task.kind == "intents"
    settings, _ = guessed(tmp_path, labeled("refund", "oos", label="intent"))
    assert (settings.task.kind, settings.task.outside) == ("intents", "oos")


@pytest.mark.parametrize(
    ("cells", "ending", "separator"),
    [
        ((["joy"], [], ["joy", "fear"]), "jsonl", ","),
        (("joy,fear", "joy", "fear", ""), "csv", ","),
        (("joy; fear", "joy", "fear"), "csv", ";"),
        (("['joy', 'fear']", "[]"), "csv", ","),
    ],
)
def test_several_labels_a_row_are_emotions(
    tmp_path: Path, cells: tuple[Any, ...], ending: str, separator: str
) -> None:
    settings, _ = guessed(tmp_path, labeled(*cells, label="emotions"), ending=ending)
    assert settings.task.kind == "emotions"
    assert settings.data.train[0].separator == separator
    assert settings.data.train[0].on_bad == "stop"


def test_a_label_with_a_comma_in_it_is_one_label(tmp_path: Path) -> None:
    settings, _ = guessed(tmp_path, labeled("Books, films", "Music, theater", label="category"))
    assert settings.task.labels == ("Books, films", "Music, theater")


def test_a_column_for_each_label_is_emotions(tmp_path: Path) -> None:
    rows = [{"text": text, "joy": number % 2, "fear": 1} for number, text in enumerate(TEXTS)]
    settings, _ = guessed(tmp_path, rows, ending="csv")
    assert settings.task.kind == "emotions"
    assert settings.data.train[0].label_columns == ("joy", "fear")


def test_rows_that_cannot_be_used_are_counted_and_skipped(tmp_path: Path) -> None:
    rows = [*labeled("good", "bad"), {"text": "", "label": "good"}, {"text": "here", "label": None}]
    settings, comments = guessed(tmp_path, rows)
    assert settings.data.train[0].on_bad == "skip"
    assert "2 of the rows have no text or no label" in comments


def test_a_file_in_another_encoding_is_refused_with_its_name_and_read_with_it(tmp_path: Path) -> None:
    data = tmp_path / "export.csv"
    lines = [
        "Kommentar;Bewertung",
        *(f"Café {number};{('gut', 'schlecht')[number % 2]}" for number in range(40)),
    ]
    data.write_bytes("\n".join(lines).encode("cp1252"))
    with pytest.raises(
        DataError, match=r"export.csv, row 1: .* does not fit the encoding .* --encoding cp1252"
    ):
        guess_config(str(data))
    assert "encoding: cp1252" in guess_config(str(data), encoding="cp1252")


def test_a_file_without_one_good_row_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    data = tmp_path / "mine.jsonl"
    data.write_text("{'text': 'no JSON'}\n" * 3)
    with pytest.raises(DataError, match=r"mine.jsonl, row 1: .*; no other row can be read either"):
        guess_config(str(data))


def test_texts_in_another_script_get_the_multilingual_base(tmp_path: Path) -> None:
    settings, comments = guessed(
        tmp_path, [{"text": "早餐太差了", "label": number % 2} for number in range(9)]
    )
    assert settings.base.source == "multilingual-e5-small"
    assert "9 of 9 texts are not in Latin" in comments


def test_conversations_teach_a_chat_model_and_labeled_turns_a_classifier(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "good day"}]
    settings, _ = guessed(tmp_path, [{"messages": talk}] * 3)
    assert (settings.recipe, settings.data.train[0].bot) == ("dialogue", None)
    turns = [{"ticket": n // 2, "author": "ab"[n % 2], "body": text} for n, text in enumerate(TEXTS)]
    settings, _ = guessed(tmp_path, turns, ending="csv")
    (source,) = settings.data.train
    assert (source.conversation, source.speaker, source.text) == ("ticket", "author", "body")
    assert source.bot == "second"
    settings, _ = guessed(tmp_path, [{**turn, "emotion": "joy"} for turn in turns], ending="csv")
    assert (settings.task.kind, settings.data.train[0].label) == ("turn_emotions", "emotion")


def test_columns_that_are_named_win_over_the_guess(tmp_path: Path) -> None:
    rows = labeled("good", "bad", title="a title", kind="x")
    settings, _ = guessed(tmp_path, rows, text="title", label="label")
    assert settings.data.train[0].text == "title"
    with pytest.raises(DataError, match="no column 'labl'; did you mean 'label'"):
        guessed(tmp_path, rows, label="labl")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": text, "text": text} for text in TEXTS], "no column looks like a label"),
        (labeled("good"), "1 different values in 40 rows"),
        (labeled(*(f"note {number}" for number in range(40))), "40 different values in 40 rows"),
        ([{"prompt": "a", "chosen": "b", "rejected": "c"}], "nlpkit config show preference"),
    ],
)
def test_what_cannot_be_guessed_is_refused_with_a_hint(
    tmp_path: Path, rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        guessed(tmp_path, rows)


def test_names_and_values_are_ones_that_yaml_and_folders_take(tmp_path: Path) -> None:
    assert config_name("data/my reviews (2026).csv.gz") == "my-reviews-2026"
    assert config_name("hub:org/name") == "name"
    assert config_name("???") == "mine"
    settings, _ = guessed(
        tmp_path, labeled("null", "true: yes", text="a: b", label="no"), text="a: b", label="no"
    )
    (source,) = settings.data.train
    assert (source.text, source.label) == ("a: b", "no")
    assert settings.task.labels == ("null", "true: yes")


@pytest.mark.parametrize(("rows", "expected"), [(1_300, 8), (1_400, 32)])
def test_few_rows_get_more_steps_than_the_defaults_take(tmp_path: Path, rows: int, expected: int) -> None:
    held = [{"text": f"text {row}", "label": ("negative", "positive")[row % 2]} for row in range(rows)]
    settings, _ = guessed(tmp_path, held)
    assert settings.training.batch_size == expected
