"""A base that is adapted by each method reads its texts better, and is a base like any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import RunError
from nlpkit.evaluation.publish import published_files
from nlpkit.generation.chatbot import Chatbot
from nlpkit.models.bases import find_base
from nlpkit.models.pretrained import load_encoder
from nlpkit.run import Run
from nlpkit.training.runs import Progress
from nlpkit.training.train import train_seeds
from tests.conftest import make_base, sentences, train_toy, write_csv

pytestmark = pytest.mark.integration

CONFIG = """
recipe: adapt
name: adapted
data:
  unlabelled: {texts}
  held_out: 0.2
  near_duplicates: 1.0
base: {{source: {base}, max_tokens: 16}}
lora: {{rank: 8, alpha: 16}}
training: {{epochs: 12, batch_size: 16, lr: 0.01, evaluations: 4}}
output: {output}
"""
BASES = {"masked": "headed_base", "contrastive": "tiny_base", "next_token": "tiny_chat_base"}
HEADLINES = {"masked": "perplexity", "contrastive": "loss", "next_token": "perplexity"}


@pytest.fixture(scope="module")
def headed_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("headed"), masks=True, head=True)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("texts") / "texts.csv", sentences(120, seed=3))


def written(folder: Path, texts: Path, base: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "adapt.yaml"
    path.write_text(CONFIG.format(texts=texts, base=base, output=folder / "runs"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory, texts: Path, headed_base: Path) -> Path:
    return train_toy(written(tmp_path_factory.mktemp("masked"), texts, headed_base))[0]


def measured(run: Path) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = Run(run).read().data["measured"]
    return found


@pytest.mark.parametrize("method", BASES)
def test_each_method_lowers_its_loss_on_held_out_texts(
    method: str, texts: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    base = request.getfixturevalue(BASES[method])
    said: list[str] = []
    (run,) = train_toy(written(tmp_path, texts, base), f"method={method}", said=said)
    pair = measured(run)[HEADLINES[method]]
    assert pair["test"]["high"] < 0
    assert pair["new"]["value"] < pair["old"]["value"]
    assert any("is better than" in line for line in said)
    record = Run.open(run).read()
    assert record.task["kind"] == "adaptation"
    assert {path.name for path in (run / "base").iterdir()} >= {
        "model.safetensors", "config.json", "tokenizer.json", "README.md",
    }  # fmt: skip
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "What this does not show" in page
    assert not list(run.rglob("*.bin")) + list(run.rglob("*.pt"))
    assert find_base(str(run))[1].adapted_from == record.base


def test_a_head_that_the_base_lacks_is_built_and_reported(texts: Path, tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", masks=True)
    said: list[str] = []
    config = written(tmp_path, texts, base)
    (run,) = train_toy(config, "method=masked", "base.dropout=0.0", "training.epochs=6", said=said)
    assert any("built, as the base has none" in line for line in said)
    assert "says nothing of the base" in (run / "evaluation" / "held-out-texts.md").read_text()
    # What the training leaves out is that of the base: its pooler, its dropout, its tokenizer
    before, after = (load_encoder(folder, masked=False)[0] for folder in (base, run / "base"))
    assert (before.pooler.dense.weight == after.pooler.dense.weight).all()
    assert after.config.hidden_dropout_prob == 0.1
    assert not (
        before.encoder.layer[0].output.dense.weight == after.encoder.layer[0].output.dense.weight
    ).all()
    model, missing = load_encoder(run / "base", masked=True)
    assert not missing
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


@pytest.mark.parametrize("method", ["contrastive", "masked"])
def test_all_weights_can_be_trained(method: str, texts: Path, tmp_path: Path, headed_base: Path) -> None:
    config = written(tmp_path, texts, headed_base)
    (run,) = train_toy(config, f"method={method}", "lora=null", "training.lr=1e-3", "training.max_steps=12")
    cost = Run(run).read().cost
    assert cost["trainable_parameters"] == cost["total_parameters"]
    pair = measured(run)[HEADLINES[method]]
    assert pair["new"]["value"] < pair["old"]["value"]


def test_a_training_on_it_records_its_hash_and_what_it_was_made_of(
    adapted: Path, headed_base: Path, toy_config: Path, tmp_path: Path
) -> None:
    (run,) = train_toy(
        toy_config,
        f"output={tmp_path}",
        f"base.source={adapted}",
        "training.max_steps=2",
        "training.evaluations=1",
    )
    base, origin = Run(run).read().base, find_base(str(headed_base))[1]
    assert base.source == str(adapted)
    assert base.adapted_from == origin
    assert base.weights_sha256 == find_base(str(adapted / "base"))[1].weights_sha256 != origin.weights_sha256
    adapter = json.loads((run / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert adapter["base_model_name_or_path"] == str(adapted / "base")
    assert Classifier.load(run).predict("a good film")[0].label in ("negative", "positive")
    with pytest.raises(RunError, match=r"a run, which is no base to train on; hint: .*base.source="):
        find_base(str(run))


def test_it_is_adapted_again_and_a_changed_one_is_refused(adapted: Path, texts: Path, tmp_path: Path) -> None:
    config = written(tmp_path, texts, adapted)
    (again,) = train_toy(config, "training.max_steps=2", "training.evaluations=1")
    origin = find_base(str(again))[1].adapted_from
    assert origin is not None
    assert origin.source == str(adapted)
    assert origin.adapted_from == Run(adapted).read().base
    (again / "base" / "config.json").write_text("{}")
    with pytest.raises(RunError, match=r"config.json: has changed since training"):
        find_base(str(again))


def test_it_answers_nothing_by_itself(adapted: Path) -> None:
    for use in (Classifier.load, Chatbot.load, lambda path: published_files(Run.open(path))):
        with pytest.raises(RunError, match=r"holds an adapted base, .*; hint: train on it"):
            use(adapted)


def weights(config: Path, output: Path, method: str, *, stop: bool = False) -> bytes | None:
    def progress(step: Progress) -> None:
        if stop and step.done > 0.7 * step.total:
            raise KeyboardInterrupt

    given = [f"output={output}", f"method={method}", "training.epochs=4"]
    try:
        (run,) = train_seeds(config, given=given, talk=lambda _: None, progress=progress)
    except KeyboardInterrupt:
        return None
    return (run.path / "base" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("method", BASES)
def test_killed_and_resumed_it_ends_in_the_same_weights(
    method: str, texts: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    config = written(tmp_path, texts, request.getfixturevalue(BASES[method]))
    whole = weights(config, tmp_path / "whole", method)
    assert weights(config, tmp_path / "killed", method, stop=True) is None
    assert list((tmp_path / "killed" / "adapted" / "checkpoints").glob("checkpoint-*"))
    with pytest.raises(RunError, match="did not come to its end"):
        find_base(str(tmp_path / "killed" / "adapted"))
    assert weights(config, tmp_path / "killed", method) == whole is not None
