import json
import shutil
from pathlib import Path

import pytest

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError, NlpkitError
from nlpkit.run import Run
from nlpkit.settings.training import Training
from nlpkit.training.checkpoints import MARKER, last_trusted, mark, refuse_others
from nlpkit.training.trainer import evaluation_line, planned_steps


def test_steps_follow_from_rows_batches_and_processes() -> None:
    assert planned_steps(100, Training(batch_size=32, epochs=2)) == 8
    assert planned_steps(100, Training(batch_size=32, epochs=2, accumulate=2)) == 4
    assert planned_steps(100, Training(batch_size=32, epochs=1), processes=2) == 2
    assert planned_steps(100, Training(batch_size=32, epochs=2, max_steps=3)) == 3
    assert planned_steps(1, Training(batch_size=32, epochs=0.1)) == 1


def test_an_evaluation_is_reported_without_its_speed() -> None:
    measured = {"eval_loss": 0.46, "eval_auroc": 0.4995, "eval_runtime": 147.8, "epoch": 0.25}
    assert evaluation_line(measured, 337, 1348) == "evaluated  at step 337 of 1,348: loss 0.460, auroc 0.499"


def checkpoint(folder: Path, step: int, fingerprint: str = "f", marked: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    for name in (
        "adapter_model.safetensors",
        "optimizer.pt",
        "scheduler.pt",
        "rng_state.pth",
        "trainer_state.json",
    ):
        (path / name).write_text(f"{name} {step}")
    if marked:
        mark(path, fingerprint=fingerprint)
    return path


def test_the_newest_complete_checkpoint_is_trusted(tmp_path: Path) -> None:
    said: list[str] = []
    checkpoint(tmp_path, 9)
    newest = checkpoint(tmp_path, 10)
    half = checkpoint(tmp_path, 11, marked=False)
    assert last_trusted(tmp_path, fingerprint="f", warn=said.append) == newest
    assert not half.exists()
    assert len(said) == 1
    assert "checkpoint-11: not complete (killed while it was written)" in said[0]


@pytest.mark.parametrize(
    "name",
    [
        "adapter_model.safetensors",
        "optimizer.pt",
        "scheduler.pt",
        "rng_state.pth",
        "trainer_state.json",
        "nlpkit.json",
    ],
)
@pytest.mark.parametrize("how", ["deleted", "truncated"])
def test_a_checkpoint_with_any_file_gone_or_cut_is_passed_over(tmp_path: Path, name: str, how: str) -> None:
    said: list[str] = []
    older, newer = checkpoint(tmp_path, 5), checkpoint(tmp_path, 10)
    if how == "deleted":
        (newer / name).unlink()
    else:
        (newer / name).write_text((newer / name).read_text()[:-3])
    assert last_trusted(tmp_path, fingerprint="f", warn=said.append) == older
    assert "checkpoint-10" in said[0]


@pytest.mark.parametrize("marker", ["[]", '{"files": {}}', '{"fingerprint": "f"}'])
def test_a_checkpoint_whose_marker_lacks_a_part_is_passed_over(tmp_path: Path, marker: str) -> None:
    older, newer = checkpoint(tmp_path, 5), checkpoint(tmp_path, 10)
    (newer / MARKER).write_text(marker)
    assert last_trusted(tmp_path, fingerprint="f", warn=lambda _: None) == older


def test_the_newest_complete_checkpoint_decides_before_anything_is_computed(tmp_path: Path) -> None:
    checkpoint(tmp_path, 5, fingerprint="other")
    checkpoint(tmp_path, 10, fingerprint="mine in 2 processes")
    half = checkpoint(tmp_path, 11, fingerprint="other", marked=False)
    refuse_others(tmp_path, fingerprint="mine")
    for fingerprint in ("other", "min"):
        with pytest.raises(ConfigError, match="an unfinished training with other data, settings"):
            refuse_others(tmp_path, fingerprint=fingerprint)
    assert half.exists()  # deleted by the training alone
    refuse_others(tmp_path / "empty", fingerprint="other")


def test_none_left_is_a_fresh_start_and_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    checkpoint(tmp_path, 5, marked=False)
    assert last_trusted(tmp_path, fingerprint="f", warn=said.append) is None
    assert len(said) == 1


def test_checkpoints_of_another_training_are_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path, 5, fingerprint="other")
    with pytest.raises(
        ConfigError, match="other data, settings or library versions is there; hint: --overwrite"
    ):
        last_trusted(tmp_path, fingerprint="f", warn=lambda _: None)


def test_another_training_is_refused_before_its_config_is_replaced(toy_config: Path, tmp_path: Path) -> None:
    from tests.conftest import train_toy

    (run,) = train_toy(toy_config, f"output={tmp_path}", "training.max_steps=1")
    (run / "run.json").unlink()
    checkpoint(run / "checkpoints", 1, fingerprint="of another training")
    before = (run / "config.yaml").read_bytes()
    with pytest.raises(ConfigError, match="an unfinished training with other data, settings"):
        train_toy(toy_config, f"output={tmp_path}", "training.max_steps=2")
    assert (run / "config.yaml").read_bytes() == before


def test_a_loss_that_is_no_number_stops_the_training(toy_config: Path, tmp_path: Path) -> None:
    from tests.conftest import train_toy

    with pytest.raises(NlpkitError, match=r"step \d+: the loss is (nan|inf); hint: a smaller training.lr"):
        train_toy(toy_config, f"output={tmp_path}", "training.lr=1e30", "training.max_grad_norm=1e30")
    assert not (tmp_path / "toy" / "run.json").exists()


def test_two_runs_of_one_seed_are_equal_and_two_seeds_are_not(
    toy_config: Path, toy_run: Path, tmp_path: Path
) -> None:
    from tests.conftest import train_toy

    def weights(run: Path) -> bytes:
        return (run / "adapter" / "adapter_model.safetensors").read_bytes()

    (again,) = train_toy(toy_config, f"output={tmp_path}")
    assert weights(again) == weights(toy_run)
    runs = train_toy(toy_config, f"output={tmp_path / 'seeds'}", "seeds=[1, 2]", "training.max_steps=4")
    assert [run.name for run in runs] == ["seed-1", "seed-2"]
    assert weights(runs[0]) != weights(runs[1])
    table = json.loads((tmp_path / "seeds" / "toy" / "seeds.json").read_text())
    values = table["test"]["accuracy"]["seeds"]
    assert len(values) == 2
    assert table["test"]["accuracy"]["mean"] == pytest.approx(sum(values) / 2)


def test_check_writes_nothing(toy_config: Path, tmp_path: Path) -> None:
    from tests.conftest import train_toy

    said: list[str] = []
    assert train_toy(toy_config, f"output={tmp_path / 'none'}", check=True, said=said) == []
    assert any(line.startswith("rows") for line in said)
    assert not (tmp_path / "none").exists()


def test_a_whole_run_is_not_trained_again_and_a_changed_one_is_refused(
    toy_config: Path, toy_run: Path
) -> None:
    from tests.conftest import train_toy

    said: list[str] = []
    before = (toy_run / "run.json").read_text()
    assert train_toy(toy_config, said=said) == [toy_run]
    assert said == [f"{toy_run}: trained already"]
    with pytest.raises(ConfigError, match="a finished run is there; hint: another name, or --overwrite"):
        train_toy(toy_config, "training.lr=0.001")
    assert train_toy(toy_config, check=True, said=said) == []
    assert any(
        line.startswith("learned") for line in said
    )  # a check reports what would be learned all the same
    assert (toy_run / "run.json").read_text() == before


def test_the_run_holds_what_the_design_says_and_no_pickle(toy_run: Path) -> None:
    names = {str(path.relative_to(toy_run)) for path in toy_run.rglob("*") if path.is_file()}
    top = {
        "config.yaml",
        "run.json",
        "log.jsonl",
        "report.html",
        "README.md",
        "evaluation/test.json",
        "evaluation/test.predictions.parquet",
    }
    assert (
        top | {"adapter/adapter_model.safetensors", "adapter/adapter_config.json", "tokenizer/tokenizer.json"}
        <= names
    )
    assert not (toy_run / "checkpoints").exists()
    assert {Path(name).suffix for name in names} <= {
        ".yaml",
        ".json",
        ".jsonl",
        ".html",
        ".md",
        ".safetensors",
        ".parquet",
        ".jinja",
        ".txt",
        ".dat",
    }


def test_adapters_of_every_kind_train_and_come_back(toy_config: Path, tmp_path: Path) -> None:
    from tests.conftest import train_toy

    for name, override in (
        ("dora", "lora.dora=true"),
        ("pissa", "lora.init=pissa"),
        ("rslora", "lora.rslora=true"),
    ):
        (run,) = train_toy(
            toy_config,
            f"output={tmp_path}",
            f"name={name}",
            override,
            "training.max_steps=3",
            "training.evaluations=1",
        )
        (answer,) = Classifier.load(run).predict("a good film")
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        shutil.rmtree(run)


def test_intensity_trains_early_stopping_and_balanced_weights_too(tiny_base: Path, tmp_path: Path) -> None:
    from tests.conftest import CONFIG, sentences, train_toy, write_csv

    rows = [(text, "3.0" if label == "positive" else "-3.0") for text, label in sentences(80)]
    data = write_csv(tmp_path / "rated.csv", rows)
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG.format(data=data, base=tiny_base, output=tmp_path / "runs"))
    (run,) = train_toy(path, "task={kind: intensity, low: -4, high: 4}", "training.patience=1", "name=rated")
    report = json.loads((run / "evaluation" / "test.json").read_text())
    assert set(report["scores"]) == {"pearson", "spearman", "mae", "rmse"}
    assert Run.open(run).read().task == {"kind": "intensity", "low": -4.0, "high": 4.0, "spread": False}


@pytest.mark.parametrize(
    "more",
    [
        ["training.group_by_length=true"],
        ["training.group_by_length=false"],
        ["training.freeze=1", "training.average=true"],
    ],
)
def test_a_training_stopped_in_the_middle_of_an_epoch_ends_in_the_same_weights(
    toy_config: Path, tmp_path: Path, more: list[str]
) -> None:
    from nlpkit.training.train import train_seeds

    # 9 steps an epoch, a checkpoint every 5: none at an epoch's end but the last
    overrides = ["training.epochs=5", "training.evaluations=9", *more]

    def run(name: str, stop_at: int | None = None) -> bytes | None:
        def progress(step: object) -> None:
            if step.done == stop_at:
                raise KeyboardInterrupt

        given = [*overrides, f"output={tmp_path / name}"]
        try:
            (found,) = train_seeds(toy_config, given=given, talk=lambda _: None, progress=progress)
        except KeyboardInterrupt:
            return None
        return (found.path / "adapter" / "adapter_model.safetensors").read_bytes()

    whole = run("whole")
    assert run("stopped", stop_at=13) is None
    assert run("stopped", stop_at=28) is None
    assert run("stopped") == whole


def test_sharded_weights_are_refused_before_the_first_step(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.conftest import train_toy

    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(
        ConfigError, match=r"FSDP is asked for .*; hint: `distributed_type: MULTI_GPU` in accelerate's config"
    ):
        train_toy(toy_config, f"output={tmp_path}")
    assert not list((tmp_path / "toy").glob("checkpoints/checkpoint-*"))


def test_a_training_of_two_processes_is_not_taken_up_by_one(
    toy_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.conftest import train_toy

    (run,) = train_toy(toy_config, f"output={tmp_path}", "training.max_steps=1")
    stamp = Run.open(run).read().data["fingerprint"]
    (run / "run.json").unlink()
    checkpoint(run / "checkpoints", 1, fingerprint=f"{stamp} in 2 processes")
    with pytest.raises(ConfigError, match="an unfinished training with other data, settings"):
        train_toy(toy_config, f"output={tmp_path}", "training.max_steps=1")
