"""A run that reads pictures: trained, compared, scored and explained as any other."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

import nlpkit
from nlpkit.classifiers.classifier import Classifier
from nlpkit.cli.app import app
from nlpkit.data.examples import Picture, TextInput
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.models.adapter import read_adapter
from nlpkit.run import Run
from tests.picture_files import make_vit, post_picture, write_posts

TASK = {"kind": "picture_polarity", "labels": ["negative", "positive"]}


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_vit(tmp_path_factory.mktemp("vit"))


@pytest.fixture(scope="module")
def posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_posts(tmp_path_factory.mktemp("posts"), 120)


@pytest.fixture(scope="module")
def settings(tiny_base: Path, vit: Path, posts: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return {
        "recipe": "multimodal", "name": "posts", "output": str(tmp_path_factory.mktemp("runs")),
        "task": TASK, "lora": {"rank": 4},
        "data": {
            "train": {"source": str(posts), "by": "kind"}, "validation": 0.2, "test": 0.3,
            "near_duplicates": 1.0,
        },
        "base": {"source": str(tiny_base)}, "vision": {"source": str(vit)},
        "training": {"epochs": 14, "batch_size": 16, "lr": 0.01, "evaluations": 1},
    }  # fmt: skip


@pytest.fixture(scope="module")
def run(settings: Any) -> Run:
    with patch("nlpkit.trust.explained_section.SECONDS", 600.0):  # a busy machine explains nothing in five
        return nlpkit.train(settings)


def test_a_run_is_reported_next_to_each_part_alone(run: Run) -> None:
    report = json.loads((run.evaluation / "test.json").read_text(encoding="utf-8"))
    table = next(section for section in report["sections"] if section["id"] == "parts")
    rows = {row[0]: row for row in table["rows"]}
    assert list(rows) == ["all", "kind 0", "kind 1", "kind 2"]
    assert report["scores"]["accuracy"]["value"] > 0.8  # the picture tells all
    text, picture, both, *gains = (float(cell.split(" ")[0]) for cell in rows["all"][2:])
    assert text < 0.9 < picture  # where texts alone tell a third
    assert gains == pytest.approx([both - text, both - picture], abs=0.0011)  # rounded
    explained = next(section for section in report["sections"] if section["id"] == "explained")
    assert any("\u25a6" in example["text"] for example in explained["examples"])
    assert (run.path.with_name("posts-text") / "run.json").is_file()


def test_a_file_is_scored_by_texts_and_pictures(run: Run, posts: Path, tmp_path: Path) -> None:
    target = tmp_path / "scored.csv"
    command = ["score", str(run.path), str(posts), "-o", str(target), "--prefix", "our_"]
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 0, said.output
    with target.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 120
    seen = [row for row in rows if row["image"]]
    assert sum(row["label"] == row["our_label"] for row in seen) > 0.9 * len(seen)


def test_bytes_in_parquet_and_a_data_set_of_images_answer_as_paths_do(
    run: Run, posts: Path, tmp_path: Path
) -> None:
    import pyarrow
    from datasets import Dataset, Image
    from pyarrow import parquet

    lines = [json.loads(line) for line in posts.read_text(encoding="utf-8").splitlines()[:5]]
    contents = [(posts.parent / line["image"]).read_bytes() for line in lines]
    table = {
        "text": [line["text"] for line in lines],
        "picture": contents,
        "label": [line["label"] for line in lines],
    }
    parquet.write_table(pyarrow.table(table), tmp_path / "posts.parquet")
    paths = [str(posts.parent / line["image"]) for line in lines]
    images = Dataset.from_dict({"text": table["text"], "image": paths, "label": table["label"]})
    images.cast_column("image", Image()).save_to_disk(str(tmp_path / "saved"))
    classifier = Classifier.load(run)
    expected = [
        answer.probabilities["positive"]
        for answer in classifier.predict(
            [
                TextInput(text=text, picture=Picture(content=content))
                for text, content in zip(table["text"], contents, strict=True)
            ]
        )
    ]
    nlpkit.score_file(
        classifier, tmp_path / "posts.parquet", tmp_path / "out.parquet", image="picture", prefix="our_"
    )
    scored = parquet.read_table(tmp_path / "out.parquet").to_pydict()
    assert scored["our_p_positive"] == pytest.approx(expected, abs=1e-6)
    assert scored["picture"] == contents
    report = nlpkit.evaluate(run, tmp_path / "saved")
    assert report.scores["accuracy"].count == 5


def test_a_bad_picture_is_named_or_skipped(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "good.png").write_bytes(post_picture("positive", 1))
    rows = [{"text": "the film", "image": name} for name in ("good.png", "text.png", "gone.png")]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    classifier = Classifier.load(run)
    with pytest.raises(DataError, match=r"row 2, column 'image', 'text\.png': 10 bytes that are no picture"):
        nlpkit.score_file(classifier, file, tmp_path / "a.jsonl")
    summary = nlpkit.score_file(classifier, file, tmp_path / "b.jsonl", on_error="skip")
    assert (summary.rows, summary.rejected) == (1, 2)
    with pytest.raises(ConfigError, match=r"no column 'pic'.*name the column with --image"):
        nlpkit.score_file(classifier, file, tmp_path / "c.jsonl", image="pic")


def test_either_part_may_be_missing(run: Run) -> None:
    classifier = Classifier.load(run)
    both = TextInput(text="the film was good", picture=Picture(content=post_picture("negative", 9)))
    answers = classifier.predict(["the film was good", both, TextInput(text="", picture=both.picture)])
    assert answers[1].label == "negative"  # the picture counts
    assert answers[0].probabilities != answers[1].probabilities != answers[2].probabilities
    again = classifier.predict([TextInput(text="", picture=both.picture)])
    assert again[0].probabilities["positive"] == pytest.approx(answers[2].probabilities["positive"], abs=1e-6)


@pytest.mark.parametrize("method", ["occlusion", "gradients"])
def test_an_explanation_points_at_the_planted_cell(run: Run, method: Any) -> None:
    if method == "gradients":
        pytest.importorskip("captum")
    found = 0
    for number in (101, 103, 104, 106):
        label = ("negative", "positive")[number % 2]
        post = TextInput(text="this is food", picture=Picture(content=post_picture(label, number)))
        (explanation,) = nlpkit.explain([post], run, method=method)  # type: ignore[list-item]
        assert explanation.text.splitlines()[1:] == ["\u25a6 \u25a6 \u25a6 \u25a6"] * 4
        assert len(explanation.words) == 3 + 16
        cells = explanation.words[3:]
        found += max(cells, key=lambda cell: cell.weight or 0.0).text == "picture, row 1, column 1"
        if method == "gradients":
            assert explanation.faithfulness.completeness_error is not None
            assert explanation.faithfulness.completeness_error < 0.02
    assert found >= 3


def test_a_file_is_explained(run: Run, posts: Path, tmp_path: Path) -> None:
    few = posts.parent / "few.jsonl"
    few.write_text("".join(posts.read_text(encoding="utf-8").splitlines(keepends=True)[:2]), encoding="utf-8")
    said = CliRunner().invoke(
        app, ["explain", str(run.path), str(few), "--html", str(tmp_path / "page.html")]
    )
    assert said.exit_code == 0, said.output
    assert "\u25a6" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_other_uses_say_that_the_run_reads_pictures(run: Run, posts: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="a run that reads pictures cannot be exported to onnx"):
        nlpkit.export(run, "onnx", tmp_path / "onnx")


def test_lora_on_both_sides_and_concatenation_learn_too(settings: Any, tmp_path: Path) -> None:
    other = nlpkit.train(
        settings,
        name="both",
        fusion="concatenation",
        compare=False,
        output=str(tmp_path),
        **{"vision.lora": True},
    )
    assert {name.split(".")[3] for name in read_adapter(other.adapter).shapes if ".lora_A" in name} == {
        "text", "vision",
    }  # fmt: skip
    assert nlpkit.Classifier.load(other).predict(["a film"])[0].label in ("negative", "positive")


def test_a_post_may_have_several_emotions_or_none(settings: Any, posts: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in posts.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line["labels"] = ["joy", "love"] * (line.pop("label") == "positive")
    file = posts.parent / "several.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    run = nlpkit.train(
        settings, name="several", output=str(tmp_path), compare=False,
        task={"kind": "picture_emotions", "labels": ["joy", "love"]},
        **{"data.train": {"source": str(file), "label": "labels"}},
    )  # fmt: skip
    asked = [
        TextInput(text="this is food", picture=Picture(content=post_picture(label, 201)))
        for label in ("positive", "negative")
    ]
    answers = nlpkit.Classifier.load(run).predict(asked)
    assert [set(answer.labels) for answer in answers] == [{"joy", "love"}, set()]


def test_sources_and_sizes_that_do_not_fit_are_refused(
    settings: Any, tiny_base: Path, posts: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="a bert, which has no patch_size; expected a vision transformer"):
        nlpkit.train_seeds(settings, check=True, **{"vision.source": str(tiny_base)})
    with pytest.raises(ConfigError, match=r"vision\.size: 18; expected a multiple of 4"):
        nlpkit.train_seeds(settings, check=True, **{"vision.size": 18})
    lines = [
        line for line in posts.read_text(encoding="utf-8").splitlines(keepends=True) if "null" not in line
    ]
    (tmp_path / "texts.jsonl").write_text("".join(lines), encoding="utf-8")
    misnamed = {"source": str(tmp_path / "texts.jsonl"), "image": "img"}
    with pytest.raises(DataError, match="no row has a picture in the column 'img'"):
        nlpkit.train_seeds(settings, check=True, **{"data.train": misnamed})
    with pytest.raises(ConfigError, match="picture_polarity"):
        nlpkit.train_seeds(settings, check=True, recipe="sentiment")
