"""Learning from a few rows of each label: what is drawn, contrasted, fitted, chosen and saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import nlpkit
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.settings.data import Data
from nlpkit.tasks.polarity import Polarity
from nlpkit.training.few_shot import draw
from nlpkit.training.head_features import HeadFeatures, linear_probe
from nlpkit.training.rows import load_rows


@pytest.mark.parametrize("count", [2, 3])
def test_a_probe_answers_as_scikit_learn(count: int) -> None:
    generator = np.random.default_rng(count)
    labels = generator.permutation(np.arange(30) % count)
    features = generator.normal(3, 2, (30, 5)) + labels[:, None]
    weight, bias = linear_probe(features, labels.tolist(), count)
    logits = torch.tensor(features @ weight.T + bias)
    expected = LogisticRegression(C=10, max_iter=1000).fit(features, labels).predict_proba(features)
    np.testing.assert_allclose(torch.softmax(logits, 1).numpy(), expected, atol=1e-6)


def test_the_contrastive_loss_is_that_of_the_paper() -> None:
    features = HeadFeatures(layer=None)
    # cosines: 0.6 between the two of a label, 0 and 0.8 to the other row, which has no like
    features.given.append(torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]))
    labels = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    first = -6 + np.log(np.exp(6) + np.exp(0))
    second = -6 + np.log(np.exp(6) + np.exp(8))
    assert features.loss(None, labels).item() == pytest.approx((first + second) / 3, rel=1e-5)
    # a batch of 3 of 6 rows: Trainer counts the entries of labels
    assert features.loss(None, labels, 12).item() == pytest.approx((first + second) / 6, rel=1e-5)


def test_each_seed_draws_as_many_rows_of_each_label(toy_csv: Path) -> None:
    data = Data.model_validate({"train": str(toy_csv), "validation": 0.0, "test": 0.2})
    rows = load_rows(Polarity(), data, seed=1)
    drawn = [draw(rows, 8, seed) for seed in (1, 1, 2)]
    assert [example.label for example in drawn[0].train] == ["negative"] * 8 + ["positive"] * 8
    assert drawn[0] == drawn[1]
    assert drawn[0].train != drawn[2].train
    assert set(drawn[0].train) <= set(rows.train)
    assert len(draw(rows, None, 1).train) == len(rows.train)
    with pytest.raises(DataError, match=r"has 9\d rows; expected at least 640; .*smaller data.per_label"):
        draw(rows, 640, 1)
    with pytest.raises(ConfigError, match=r"data.test: no rows to report on; hint: data.test: 0.5"):
        draw(load_rows(Polarity(), data.model_copy(update={"test": 0.0}), seed=1), 8, 1)


SETTINGS = """
recipe: few_shot
name: few
task: {{kind: polarity, labels: [negative, positive]}}
data: {{train: {data}, per_label: 4, test: 0.2, near_duplicates: 1.0}}
base: {{source: {base}}}
lora: {{rank: 2}}
training: {{epochs: 2, lr: 0.01, folds: 2}}
seeds: [1, 2]
output: {output}
"""


def test_few_rows_make_an_ordinary_run_of_each_draw(toy_csv: Path, tiny_base: Path, tmp_path: Path) -> None:
    config = tmp_path / "few.yaml"
    config.write_text(SETTINGS.format(data=toy_csv, base=tiny_base, output=tmp_path))
    lines: list[str] = []
    runs = nlpkit.train_seeds(config, talk=lines.append)
    assert [run.path.name for run in runs] == ["seed-1", "seed-2"]
    chosen = [line for line in lines if line.startswith("chosen")]
    assert len(chosen) == 2
    assert all(f"{way} " in chosen[0] for way in ("contrastive", "lora", "probe"))
    assert any("8 of 192 to train on, 4 a label; 48 to report on" in line for line in lines)
    record = runs[0].read()
    assert record.data["rows"] == {"train": 8, "validation": 0, "test": 48}
    assert not runs[0].checkpoints.exists()
    assert record.mean_pooled
    answer = nlpkit.Classifier.load(runs[0]).predict(["the film was good"])[0]
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert (runs[0].path / "report.html").is_file()
    assert "peft" not in runs[0].card.read_text(encoding="utf-8").casefold()
    with pytest.raises(RunError, match=r"reads the mean of all tokens cannot be exported to merged; hint"):
        nlpkit.export(runs[0], "merged", tmp_path / "merged")
    assert nlpkit.train_seeds(config, talk=lines.append) == runs
    assert lines[-2].endswith("trained already") or any("trained already" in line for line in lines[-4:])


def test_what_a_codebook_says_of_the_labels_is_learned_too(
    toy_csv: Path, tiny_base: Path, tmp_path: Path
) -> None:
    config, book = tmp_path / "few.yaml", tmp_path / "book.yaml"
    text = SETTINGS.format(data=toy_csv, base=tiny_base, output=tmp_path).replace("[1, 2]", "[1]")
    config.write_text(f"{text}codebook: {book}\n")
    said, given = {}, ["training.ways=[probe]"]
    for label, other in (("negative", "positive"), ("positive", "negative")):
        examples = "description: soup, examples: [soup soup, soup soup soup]"
        book.write_text(f"labels: [{{label: {label}, {examples}}}, {{label: {other}}}]\n")
        lines: list[str] = []
        (run,) = nlpkit.train_seeds(config, given=given, talk=lines.append, overwrite=True)
        assert "words      4 descriptions and examples of the codebook are learned too" in lines
        assert run.read().data["rows"]["train"] == 8  # the words are no rows of a file
        said[label] = nlpkit.Classifier.load(run).predict(["soup"])[0].probabilities["positive"]
    assert said["positive"] > said["negative"]
    book.write_text(book.read_text().replace("soup", "bread"))
    with pytest.raises(ConfigError, match="a finished run is there"):
        nlpkit.train_seeds(config, given=given)


def test_rows_that_were_left_out_are_reported(toy_csv: Path, tiny_base: Path, tmp_path: Path) -> None:
    config, named = tmp_path / "few.yaml", tmp_path / "doubts.csv"
    config.write_text(SETTINGS.format(data=toy_csv, base=tiny_base, output=tmp_path))
    named.write_text("\n".join(toy_csv.read_text().splitlines()[:4]) + "\n")
    lines: list[str] = []
    nlpkit.train_seeds(config, check=True, talk=lines.append, given=[f"data.leave_out={named}"])
    assert f"warning    left out: {named}: names 3 training rows" in lines


def test_what_few_rows_cannot_do_is_refused(toy_csv: Path, tiny_base: Path, tmp_path: Path) -> None:
    text = SETTINGS.format(data=toy_csv, base=tiny_base, output=tmp_path)
    config = tmp_path / "few.yaml"
    config.write_text(text)
    for key, value in (
        ("lora.init", "pissa"),
        ("training.freeze", 1),
        ("data.validation", 0.1),
        ("data.per_label", 65),
    ):
        with pytest.raises(ConfigError, match=key.partition(".")[2]):
            nlpkit.train_seeds(config, given=[f"{key}={value}"])
    config.write_text(text.replace("{kind: polarity, labels: [negative, positive]}", "{kind: emotions}"))
    with pytest.raises(ConfigError, match="one label a text, not for emotions"):
        nlpkit.train_seeds(config)
