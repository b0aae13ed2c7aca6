"""A student learns from a teacher's answers, is a run like any other, and goes on where it was killed."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.models.pretrained import load_classifier
from nlpkit.run import Run
from nlpkit.tasks.polarity import Polarity
from nlpkit.training.train import train_seeds
from tests.conftest import sentences, train_toy, write_csv

pytestmark = pytest.mark.integration

CONFIG = """
recipe: distill
name: student
teacher: {teacher}
plain: {teacher}
distillation: {{temperature: 1.0}}
data:
  unlabelled: [{{source: {texts}}}]  # an old name
  validation: [{{source: {held}}}]
  near_held_out: 1.0
base: {{source: {base}, dropout: 0.0}}
lora: {{rank: 8, alpha: 16}}
training: {{epochs: 16, batch_size: 16, lr: 0.01, evaluations: 4}}
output: {output}
"""


@pytest.fixture(scope="module")
def distill_config(tmp_path_factory: pytest.TempPathFactory, toy_run: Path, tiny_base: Path) -> Path:
    folder = tmp_path_factory.mktemp("distill")
    pairs = sentences(320, seed=5)
    held = write_csv(folder / "held.csv", pairs[:60])
    texts = folder / "texts.csv"
    with texts.open("w", newline="", encoding="utf-8") as stream:
        # Two of the held-out texts are among them, one spelt otherwise
        csv.writer(stream).writerows(
            [["text"], [pairs[0][0]], [pairs[1][0].upper() + "!"], *([text] for text, _ in pairs[60:])]
        )
    path = folder / "student.yaml"
    path.write_text(
        CONFIG.format(teacher=toy_run, texts=texts, held=held, base=tiny_base, output=folder / "runs"),
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="module")
def student(distill_config: Path) -> tuple[Path, list[str]]:
    said: list[str] = []
    return train_toy(distill_config, said=said)[0], said


def test_the_student_learns_what_the_teacher_knows(student: tuple[Path, list[str]], toy_run: Path) -> None:
    run, said = student
    texts = [text for text, _ in sentences(320, seed=5)[60:]]
    teacher, pupil = Classifier.load(toy_run), Classifier.load(run)
    agree = sum(
        one.label == other.label
        for one, other in zip(teacher.predict(texts), pupil.predict(texts), strict=True)
    )
    assert agree >= 0.9 * len(texts)  # no label was seen
    assert "2 unlabeled and 0 labeled texts that stand, nearly equal, in the held-out ones" in "\n".join(said)
    assert any(
        "it may have learned from them" in line for line in said
    )  # the teacher's own held-out rows are others


def test_its_record_and_table_say_where_it_came_from(
    student: tuple[Path, list[str]], toy_run: Path, tiny_base: Path
) -> None:
    run = Run.open(student[0])
    data = run.read().data
    assert data["teacher"]["run"] == str(toy_run)
    assert data["unlabelled"]["rows"] == 260  # an old name
    assert data["unlabelled"]["near_held_out_dropped"] == 2  # an old name
    comparison = json.loads(run.distillation.read_text())
    assert [side["role"] for side in comparison["sides"]] == ["teacher", "student", "plain"]
    teacher, pupil, _ = comparison["sides"]
    found = load_classifier(tiny_base, head=Polarity(labels=("negative", "positive")).head)
    assert teacher["weights"] == pupil["weights"] == sum(one.numel() for one in found.parameters())
    assert teacher["tests"]["accuracy"]["difference"] == pytest.approx(
        pupil["scores"]["accuracy"]["value"] - teacher["scores"]["accuracy"]["value"]
    )
    assert comparison["gap_closed"] is None  # the plain one is the teacher itself
    assert comparison["chosen_here"]
    assert "| student | student |" in run.distillation.with_suffix(".md").read_text()
    assert run.report.is_file()
    assert not run.checkpoints.exists()


def test_the_benchmark_gathers_runs_of_the_same_rows_alone(
    student: tuple[Path, list[str]], toy_run: Path, tmp_path: Path
) -> None:
    from benchmarks.distillation import bench

    run, said = Run.open(student[0]), list[str]()
    accuracy = json.loads((run.evaluation / "validation.json").read_text())["scores"]["accuracy"]["value"]
    found = bench(run, [run, run], [run], results=tmp_path, talk=said.append)
    assert found["scores"]["student"]["accuracy"] == [accuracy, accuracy]
    assert found["gap_closed"] is None
    assert "260 texts without labels and 0 with; 2 near-equal to validation rows were dropped" in said[0]
    assert (tmp_path / "distillation.json").is_file()
    with pytest.raises(ConfigError, match="evaluated on other validation rows than"):
        bench(Run.open(toy_run), [run], [run], results=tmp_path, talk=said.append)


def stopped(
    config: Path, output: Path, *overrides: str, stop_at: tuple[str, int] | None = None
) -> bytes | None:
    steps: list[str] = []

    def progress(step: object) -> None:
        part = "learn" if step.total != 260 else "ask"
        steps.append(part)
        if stop_at == (part, steps.count(part)):
            raise KeyboardInterrupt

    try:
        given = [f"output={output}", *overrides]
        (found,) = train_seeds(config, given=given, talk=lambda _: None, progress=progress)
    except KeyboardInterrupt:
        return None
    return (found.path / "adapter" / "adapter_model.safetensors").read_bytes()


@pytest.mark.parametrize("hidden", ["0.0", "1.0"])
def test_killed_while_it_asks_and_while_it_learns_it_ends_in_the_same_weights(
    distill_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: str
) -> None:
    monkeypatch.setattr("nlpkit.training.distillation_teacher.CHUNK", 64)
    asked = (f"distillation.hidden_weight={hidden}", "training.max_steps=80")
    whole = stopped(distill_config, tmp_path / "whole", *asked)
    assert stopped(distill_config, tmp_path / "killed", *asked, stop_at=("ask", 2)) is None
    done = json.loads((tmp_path / "killed" / "student" / "checkpoints" / "teacher" / "done.json").read_text())
    assert done["texts"] == 128
    assert stopped(distill_config, tmp_path / "killed", *asked, stop_at=("learn", 50)) is None
    with pytest.raises(RunError, match="did not come to its end"):
        Run.open(tmp_path / "killed" / "student")
    assert stopped(distill_config, tmp_path / "killed", *asked) == whole is not None
    assert Classifier.load(tmp_path / "killed" / "student").predict(["a good film"])[0].label in (
        "negative",
        "positive",
    )


def test_labelled_rows_and_several_seeds_share_what_the_teacher_said(
    distill_config: Path, toy_csv: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    asked = [f"output={tmp_path}", f"data.train={toy_csv}", "seeds=[1, 2]", "training.max_steps=4"]
    asked += ["distillation.label_weight=0.5", "distillation.labelled_times=2"]
    runs = train_toy(distill_config, *asked, said=said)
    assert [run.name for run in runs] == ["seed-1", "seed-2"]
    rows = Run.open(runs[0]).read().data["rows"]
    assert rows["train"] > 200
    assert (tmp_path / "student" / "seeds.md").is_file()
    assert not (tmp_path / "student" / "checkpoints").exists()
    assert train_toy(distill_config, *asked, said=said) == runs
    assert said[-3:-1] == [f"{run}: trained already" for run in runs]


def test_what_cannot_teach_is_refused(
    distill_config: Path, chat_run: Path, toy_csv: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="this is a dialogue run, which has no labels"):
        train_toy(distill_config, f"teacher={chat_run}")
    with pytest.raises(RunError, match="no such run"):
        train_toy(distill_config, f"teacher={tmp_path / 'nowhere'}")
    (tmp_path / "half" / "checkpoints").mkdir(parents=True)
    with pytest.raises(RunError, match="did not come to its end"):
        train_toy(distill_config, f"teacher={tmp_path / 'half'}")
    stars = write_csv(tmp_path / "stars.csv", [("a film", str(random.Random(1).randint(1, 5)))] * 3)
    with pytest.raises(
        DataError, match="holds the label '2', which the task does not have; known: negative, positive"
    ):
        train_toy(distill_config, f"data.validation={stars}")
    with pytest.raises(DataError, match="all 60 texts are equal or near-equal to held-out rows"):
        train_toy(distill_config, f"data.unlabelled={distill_config.parent / 'held.csv'}")  # an old name
    with pytest.raises(ConfigError, match="without labeled rows in `train`, `validation` must name a file"):
        train_toy(distill_config, "data.validation=0.2")
    with pytest.raises(ConfigError, match=r"lora\.init: pissa does not go together"):
        train_toy(distill_config, "lora.init=pissa", "distillation.hidden_weight=1")
    assert not (distill_config.parent / "runs" / "half").exists()


def test_check_says_what_would_be_learned_and_writes_nothing(distill_config: Path, tmp_path: Path) -> None:
    said: list[str] = []
    assert train_toy(distill_config, f"output={tmp_path / 'none'}", check=True, said=said) == []
    assert any("260 unlabeled and 0 labeled to learn from, 60 to choose on" in line for line in said)
    assert not (tmp_path / "none").exists()
