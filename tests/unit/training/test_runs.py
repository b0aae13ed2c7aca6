"""A run is trained by one process at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nlpkit.data.text_hashes import count_trained_on
from nlpkit.errors import ConfigError, NlpkitError
from nlpkit.run import Run
from nlpkit.run_record import BaseModelIdentity, RunRecord
from nlpkit.settings import RunSettings, SeededSettings
from nlpkit.training.runs import RunInProgress, TrainOptions, only_trainer, train_seeds

TRAIN = """
import sys, time
from pathlib import Path
from nlpkit.run import Run
from nlpkit.training.runs import only_trainer
with only_trainer(Run(Path(sys.argv[1]))):
    print("training", flush=True)
    time.sleep(600)
"""


def train(config: RunSettings, *, overwrite: bool = False, check: bool = False) -> list[str]:
    """Train a run that does nothing, and return the files next to the folder while it is trained."""
    seen: list[str] = []

    def train_one(job: RunInProgress) -> None:
        if job.begin([]):
            seen.extend(sorted(path.name for path in job.run.path.parent.iterdir()))

    options = TrainOptions(talk=lambda line: None, overwrite=overwrite, check=check)
    train_seeds(config, options, facts={}, train_one=train_one, report=lambda run: None)
    return seen


@pytest.fixture
def config(tmp_path: Path) -> RunSettings:
    return RunSettings(recipe="sentiment", name="toy", output=tmp_path, seed=1)


def test_s10_a_second_process_is_refused_until_the_first_is_dead(tmp_path: Path, config: RunSettings) -> None:
    run = Run(tmp_path / "toy")
    other = subprocess.Popen([sys.executable, "-c", TRAIN, str(run.path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "training\n"
        for overwrite in (False, True):
            with pytest.raises(
                NlpkitError, match=rf"toy: process {other.pid} is training this run; hint: wait .* name=other"
            ):
                train(config, overwrite=overwrite)
        assert not run.path.exists()
        assert train(config, check=True) == []
    finally:
        other.kill()
        other.communicate()
    assert run.lock.read_text() == str(other.pid)  # what a killed process leaves
    assert train(config) == [".toy.lock", "toy"]
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_s10_the_lock_is_released_where_a_training_fails(tmp_path: Path) -> None:
    run, seen = Run(tmp_path / "toy"), []

    def fail() -> None:
        with only_trainer(run):
            seen.append(run.lock.read_text())
            raise RuntimeError("lost")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="lost"):
            fail()
    assert seen == [str(os.getpid())] * 2
    assert list(tmp_path.iterdir()) == []


def test_s10_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigError, match="a run cannot be written here"),
        only_trainer(Run(tmp_path / "file" / "toy")),
    ):
        pass


@pytest.mark.parametrize(("kept", "known"), [(True, 1), (False, None)])
def test_s19_hashes_of_the_training_texts_are_kept_unless_the_config_says_no(
    config: RunSettings, kept: bool, known: int | None
) -> None:
    def train_one(job: RunInProgress) -> None:
        job.begin([])
        job.finish(lambda: job.complete(record(), ["a text"]))

    wanted = config.model_copy(update={"text_hashes": kept})
    options = TrainOptions(talk=lambda line: None)
    (run,) = train_seeds(wanted, options, facts={}, train_one=train_one, report=lambda run: None)
    assert count_trained_on(run, ["A text.", "another"]) == known
    assert run.text_hashes.exists() is kept


def record() -> RunRecord:
    base = BaseModelIdentity(source="b", revision=None, weights_sha256="a", tokenizer_sha256="b")
    return RunRecord(
        name="toy", recipe="sentiment", created="now", task={"kind": "polarity"}, base=base, max_tokens=8,
        seed=1, data={}, cost={}, versions={},
    )  # fmt: skip


def test_s15_a_run_of_another_seed_is_not_taken_as_trained(tmp_path: Path) -> None:
    """One seed alone stands in the folder of the name, whichever it is."""

    def train_one(job: RunInProgress) -> None:
        job.begin([])
        made = record().model_copy(update={"data": {"fingerprint": job.fingerprint}})
        job.finish(lambda: job.complete(made, []))

    def train_seed(seed: int) -> list[str]:
        lines: list[str] = []
        wanted = SeededSettings(recipe="sentiment", name="toy", output=tmp_path, seeds=(seed,))
        options = TrainOptions(talk=lines.append)
        train_seeds(wanted, options, facts={}, train_one=train_one, report=lambda run: None)
        return lines

    train_seed(1)
    assert "trained already" in train_seed(1)[0]
    with pytest.raises(ConfigError, match="a finished run is there"):
        train_seed(2)
