import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError, RunError
from nlpkit.training import distillation_teacher
from nlpkit.training.distillation_teacher import (
    Answers,
    Teacher,
    label_texts,
    open_teacher,
    refuse_headless,
)
from nlpkit.training.runs import Progress, TrainOptions
from tests.conftest import sentences

TEXTS = [text for text, _ in sentences(50, seed=3)]


def asked(
    run: Path,
    folder: Path,
    texts: list[str] = TEXTS,
    *,
    states: bool = False,
    stop_at: int | None = None,
    precision: Literal["fp32", "int8"] = "fp32",
) -> Answers:
    def progress(at: Progress) -> None:
        if at.done == stop_at:
            raise KeyboardInterrupt

    return label_texts(
        open_teacher(run),
        texts,
        folder,
        states=states,
        precision=precision,
        options=TrainOptions(talk=lambda _: None, progress=progress),
    )


def test_its_answers_are_those_that_it_serves(toy_run: Path, tmp_path: Path) -> None:
    found = asked(toy_run, tmp_path / "t", states=True)
    assert np.allclose(found.logits, Classifier.load(toy_run).logits(TEXTS), atol=1e-5)
    assert found.states is not None
    assert found.states.shape == (50, 16)
    assert found.size == 16


def test_in_8_bits_it_answers_as_it_is_served_in_8_bits(toy_run: Path, tmp_path: Path) -> None:
    found = asked(toy_run, tmp_path / "t", precision="int8")
    served = Classifier.load(toy_run, runtime="onnx-int8")
    assert np.allclose(found.logits, served.logits(TEXTS), atol=1e-5)
    assert not np.array_equal(found.logits, asked(toy_run, tmp_path / "t").logits)
    with pytest.raises(ConfigError, match="in 8 bits ONNX Runtime answers for"):
        asked(toy_run, tmp_path / "states", states=True, precision="int8")


def test_it_goes_on_where_it_was_stopped_and_answers_alike(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distillation_teacher, "CHUNK", 16)
    whole = asked(toy_run, tmp_path / "whole", states=True)
    with pytest.raises(KeyboardInterrupt):
        asked(toy_run, tmp_path / "stopped", states=True, stop_at=32)
    assert json.loads((tmp_path / "stopped" / "done.json").read_text())["texts"] == 32
    found = asked(toy_run, tmp_path / "stopped", states=True)
    assert found.logits.tobytes() == whole.logits.tobytes()
    assert found.states is not None
    assert whole.states is not None
    assert found.states.tobytes() == whole.states.tobytes()


def test_what_is_there_is_not_computed_again_and_other_questions_are(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    first = np.array(asked(toy_run, tmp_path / "t").logits)
    with monkeypatch.context() as patch:
        patch.setattr(distillation_teacher, "_Model", lambda *_, **__: pytest.fail("computed again"))
        assert np.array_equal(asked(toy_run, tmp_path / "t").logits, first)
    other = asked(toy_run, tmp_path / "t", TEXTS[::-1])
    assert np.allclose(other.logits, first[::-1], atol=1e-5)
    (tmp_path / "t" / "done.json").write_text("{")  # damaged
    assert np.array_equal(asked(toy_run, tmp_path / "t").logits, first)


def test_of_several_processes_the_first_labels_and_the_others_wait_for_it(
    toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(distillation_teacher, "is_main_process", lambda: False)
        other = pool.submit(asked, toy_run, tmp_path / "t")
        with pytest.raises(TimeoutError):
            other.result(timeout=0.5)
        monkeypatch.setattr(distillation_teacher, "is_main_process", lambda: True)
        first = asked(toy_run, tmp_path / "t")
        assert np.array_equal(other.result(timeout=60).logits, first.logits)


def test_only_a_whole_run_with_labels_teaches(tmp_path: Path, chat_run: Path) -> None:
    with pytest.raises(RunError, match="no such run"):
        open_teacher(tmp_path / "none")
    with pytest.raises(RunError, match="this is a dialogue run, which has no labels"):
        open_teacher(chat_run)


def test_held_out_rows_that_it_may_have_learned_from_are_noticed(toy_run: Path) -> None:
    teacher: Teacher = open_teacher(toy_run)
    apart = teacher.record.data["sha256"]
    assert not teacher.saw({"validation": apart["validation"], "test": apart["test"], "train": "x"})
    assert not teacher.saw({"test": apart["validation"]})
    assert teacher.saw({"validation": apart["train"]})


def test_a_head_that_reads_more_than_the_first_token_has_no_state_to_compare() -> None:
    class Model:
        class config:  # noqa: N801
            model_type = "t5"

    with pytest.raises(
        ConfigError,
        match=r"hidden_weight: my-run is a t5 .Model., whose head does not read the first token alone",
    ):
        refuse_headless(Model(), "my-run")
