import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.runtime import OutOfMemoryError
from nlpkit.errors import DataError, NlpkitError, RunError
from nlpkit.models.batching import batches
from nlpkit.run import Run
from tests.conftest import make_base, sentences


@pytest.fixture(scope="module")
def classifier(toy_run: Path) -> Classifier:
    return Classifier.load(toy_run, runtime="torch")


@given(st.lists(st.integers(1, 90), max_size=60), st.integers(16, 600))
def test_every_sequence_is_in_one_batch_within_the_budget(lengths: list[int], budget: int) -> None:
    found = batches(lengths, budget)
    assert sorted(place for batch in found for place in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) == 1 or len(batch) * max(lengths[place] for place in batch) <= budget


def test_it_learnt_the_toy_task(classifier: Classifier) -> None:
    pairs = sentences(60, seed=77)
    answers = classifier.predict([text for text, _ in pairs])
    assert sum(answer.label == label for answer, (_, label) in zip(answers, pairs, strict=True)) >= 54
    for answer in answers:
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.score == pytest.approx(
            answer.probabilities["positive"] - answer.probabilities["negative"]
        )


def as_series(texts: list[str]) -> Any:
    import pandas as pd

    return pd.Series(texts, index=range(5, 5 + len(texts)))


@pytest.mark.parametrize("sequence", [list, tuple, np.array, as_series, iter])
def test_any_sequence_of_texts_gets_the_answers_of_a_list(
    classifier: Classifier, sequence: Callable[[list[str]], Any]
) -> None:
    texts = [text for text, _ in sentences(6, seed=3)]
    assert classifier.predict(sequence(texts)) == classifier.predict(texts)


def test_one_text_gets_a_list_of_one_answer(classifier: Classifier) -> None:
    assert classifier.predict("good film") == classifier.predict(["good film"])
    assert len(classifier.predict("")) == 1


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", None], r"position 1 of 2 holds 'None' \(NoneType\); expected a text"),
        (np.array([1.0, 2.0]), r"position 0 of 2 holds '1.0' \(float64\); expected a text"),
        (np.array([["a"], ["b"]]), "found a ndarray of 2 dimensions; expected a text or a sequence of texts"),
        (as_series(["a", None]), "position 1 of 2"),  # type: ignore[list-item]
        (["a", "b\0"], r"position 1 of 2: a NUL character \(U\+0000\) at character 2"),
        (b"good film", "found a bytes"),
        ({"text": "good film"}, "found a dict"),
        (None, "found a NoneType"),
        (3, "found a int"),
    ],
)
def test_what_is_no_text_is_refused_with_its_position(
    classifier: Classifier, texts: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        classifier.predict(texts)


def test_no_texts_no_answers(classifier: Classifier) -> None:
    assert classifier.predict([]) == []


@pytest.mark.filterwarnings("ignore")  # PEFT asks transformers by an old name
def test_logits_are_those_of_plain_transformers_and_peft(
    toy_run: Path, tiny_base: Path, classifier: Classifier
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(toy_run / "tokenizer")
    base = AutoModelForSequenceClassification.from_pretrained(tiny_base, num_labels=2)
    model = PeftModel.from_pretrained(base, toy_run / "adapter").eval()
    text = "the food was lovely"
    with torch.inference_mode():
        theirs = model(**tokenizer([text], return_tensors="pt")).logits.numpy()
    assert np.allclose(classifier.logits([text]), theirs, atol=1e-5)


def test_the_same_list_gives_the_same_bits_whatever_the_threads(toy_run: Path) -> None:
    texts = [text for text, _ in sentences(50, seed=4)]
    one, three = (Classifier.load(toy_run, threads=threads) for threads in (1, 3))
    assert (one.logits(texts) == three.logits(texts)).all()
    assert one.fingerprint == three.fingerprint


def test_neighbours_move_a_score_by_rounding_only(classifier: Classifier) -> None:
    texts = [text for text, _ in sentences(40, seed=5)]
    alone = np.concatenate([classifier.logits([text]) for text in texts])
    assert np.abs(alone - classifier.logits(texts)).max() < 1e-5


def test_a_long_text_is_read_to_its_end_in_windows(classifier: Classifier) -> None:
    filler = "the film was the film " * 30
    answers = classifier.predict(
        [filler + "good good good good good good", filler + "bad bad bad bad bad bad", "good film"]
    )
    assert answers[0].windows > 1
    assert answers[0].score > answers[1].score
    assert not any(answer.partial for answer in answers)
    assert answers[2].windows == 1


def test_a_text_beyond_all_windows_says_so(classifier: Classifier) -> None:
    (answer,) = classifier.predict(["good " * 10_000])
    assert (answer.windows, answer.partial) == (64, True)


def test_odd_texts_get_an_answer(classifier: Classifier) -> None:
    texts = [
        "",
        " ",
        "\u200d",
        "👩‍👩‍👧‍👦",
        "שלום \u202e abc",
        "\U000e0041",
        "x" * 5000,
        "ﷺ" * 50,
        "[CLS] [SEP]",
        "\x01",
    ]
    assert len(classifier.predict(texts)) == len(texts)


def test_when_memory_runs_out_a_batch_is_halved_and_the_answers_stay(
    toy_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = Classifier.load(toy_run, threads=1)
    texts = [text for text, _ in sentences(30, seed=6)]
    expected = classifier.logits(texts)
    run = classifier.model._run
    sizes: list[int] = []

    def small_memory(sequences: list[list[int]], _pictures: object) -> np.ndarray:
        sizes.append(len(sequences))
        if len(sequences) > 4:
            raise OutOfMemoryError("no memory")
        return run(sequences)

    monkeypatch.setattr(classifier.model, "_run", small_memory)
    assert np.abs(classifier.logits(texts) - expected).max() < 1e-5
    assert max(sizes) > 4
    monkeypatch.setattr(classifier.model, "_run", lambda *_: (_ for _ in ()).throw(OutOfMemoryError()))
    with pytest.raises(NlpkitError, match="does not fit the memory of cpu"):
        classifier.predict(["good"])


def test_torch_says_that_memory_ran_out_in_the_runtime_s_own_words(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = np.ones((2, 3), dtype=np.int64)
    for error in (torch.OutOfMemoryError("no memory"), MemoryError()):
        model = Mock(side_effect=error, parameters=classifier.runtime.model.parameters)
        monkeypatch.setattr(classifier.runtime, "model", model)
        with pytest.raises(OutOfMemoryError):
            classifier.runtime.logits(ids, ids)
        monkeypatch.undo()


def test_a_budget_is_chosen_by_what_is_fastest_and_changes_no_more_than_rounding(
    toy_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    classifier = Classifier.load(toy_run, runtime="torch", threads=1)
    texts = [text for text, _ in sentences(300, seed=8)]
    before, default = classifier.logits(texts), classifier.budget
    fingerprint = classifier.fingerprint
    run, clock = classifier.model._run, Mock(now=0.0)
    clock.perf_counter = lambda: clock.now

    def slow_in_large_batches(sequences: list[list[int]], _pictures: object) -> np.ndarray:
        clock.now += 0.02 if sum(map(len, sequences)) > 256 else 0.001
        return run(sequences)

    monkeypatch.setattr("nlpkit.classifiers.text_model.time", clock)

    monkeypatch.setattr(classifier.model, "_run", slow_in_large_batches)
    assert classifier.tune(texts) == classifier.budget == 256 < default
    assert np.abs(classifier.logits(texts) - before).max() < 1e-5
    assert classifier.fingerprint == fingerprint


def copy_with_base(toy_run: Path, base: Path, folder: Path) -> Path:
    shutil.copytree(toy_run, folder)
    record = json.loads((folder / "run.json").read_text())
    record["base"]["source"] = str(base)
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_another_base_of_the_same_shape_is_refused(toy_run: Path, tmp_path: Path) -> None:
    other = make_base(tmp_path / "other", seed=1)
    with pytest.raises(
        RunError, match=r"trained on .* with weights [0-9a-f]{12}, found weights [0-9a-f]{12}"
    ) as caught:
        Classifier.load(copy_with_base(toy_run, other, tmp_path / "run"))
    assert caught.value.exit_code == 4


def test_another_vocabulary_is_refused(toy_run: Path, tiny_base: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_base, other)
    path = other / "tokenizer.json"
    path.write_text(
        path.read_text()
        .replace('"good"', '"swapped"')
        .replace('"bad"', '"good"')
        .replace('"swapped"', '"bad"')
    )
    with pytest.raises(RunError, match="with tokenizer"):
        Classifier.load(copy_with_base(toy_run, other, tmp_path / "run"))


def test_the_fingerprint_changes_with_the_adapter(
    toy_run: Path, classifier: Classifier, tmp_path: Path
) -> None:
    shutil.copytree(toy_run, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(
        json.dumps({**record, "task": {**record["task"], "temperature": 3.0}})
    )
    assert Classifier.load(tmp_path / "run").fingerprint != classifier.fingerprint
    assert Classifier.load(Run.open(toy_run)).fingerprint == classifier.fingerprint


@pytest.mark.parametrize("name", ["adapter/adapter_model.safetensors", "tokenizer/tokenizer.json"])
def test_s9_one_flipped_bit_in_a_file_of_the_run_is_refused(toy_run: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(toy_run, tmp_path / "run")
    path = tmp_path / "run" / name
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(RunError, match=rf"{name}: has changed since training; hint: "):
        Classifier.load(tmp_path / "run")
