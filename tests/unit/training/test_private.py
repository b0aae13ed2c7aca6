"""Private training: what is promised is what Opacus accounts for; a run that learned nothing is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.run import Run
from nlpkit.settings.private import Private
from nlpkit.training.privacy_plan import epsilon_of, find_noise, plan_privacy, row_budget
from nlpkit.training.private_gates import refuse_majority, refuse_unmoved
from tests.conftest import sentences, train_toy, write_csv
from tests.outputs import has_shape, output

PRIVATE = (
    "private={epsilon: 30}",
    "task.labels=[negative, positive]",
    "training.batch_size=480",
    "training.epochs=25",
    "training.lr=0.02",
    "training.evaluations=2",
)
"""Few rows and few weights need a large epsilon to learn anything at all."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("rows") / "rows.csv", sentences(600))


def private(config: Path, rows: Path, output: Path, *more: str, said: list[str] | None = None) -> Run:
    given = (f"output={output}", f"data.train=[{{source: {rows}}}]", "data.test=0.0", *PRIVATE, *more)
    (path,) = train_toy(config, *given, said=said)
    return Run(path)


@pytest.fixture(scope="module")
def private_run(
    toy_config: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, list[str]]:
    said: list[str] = []
    return private(toy_config, rows, tmp_path_factory.mktemp("private"), said=said), said


def test_a_private_run_says_what_it_promises(private_run: tuple[Run, list[str]]) -> None:
    run, said = private_run
    privacy = run.read().privacy
    assert privacy["epsilon"] <= 30
    assert privacy["delta"] == pytest.approx(1 / 4800)  # 480 of 600 rows are trained on
    assert (privacy["rows"], privacy["steps"], privacy["sample_rate"]) == (480, 25, 1.0)
    words = f"epsilon {privacy['epsilon']:.3g} at delta 0.00021, spent in 25 steps"
    assert any(words in line for line in said)
    assert has_shape("\n".join(said), output("docs/private.md", 0)), said
    for page in (run.report, run.card):
        assert words in page.read_text(encoding="utf-8")
    assert not run.text_hashes.exists()
    assert not run.checkpoints.exists()
    keys = {key for line in run.log.read_text(encoding="utf-8").splitlines() for key in json.loads(line)}
    assert "eval_macro_f1" in keys
    assert not keys & {"loss", "train_loss", "grad_norm"}


def test_weights_that_do_not_move_are_refused(toy_config: Path, rows: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"did not change \d+ of \d+ weight tensors, such as "):
        private(toy_config, rows, tmp_path, "training.lr=1e-30", "training.epochs=1")
    assert not (tmp_path / "toy" / "run.json").exists()


def test_a_saved_run_that_answers_differently_is_refused(
    toy_config: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nlpkit.training import classifier

    def save_without_half(model: Any, folder: Path, **named: Any) -> None:
        from safetensors.torch import load_file, save_file

        save(model, folder, **named)
        path = folder / "adapter_model.safetensors"
        weights = load_file(path)
        save_file(
            {name: weight / 2 if "classifier" in name else weight for name, weight in weights.items()},
            path,
            metadata={"format": "pt"},
        )

    save = classifier.save_adapter
    monkeypatch.setattr(classifier, "save_adapter", save_without_half)
    with pytest.raises(RunError, match="the saved run answers differently from the trained model"):
        private(toy_config, rows, tmp_path, "training.epochs=2")
    assert not (tmp_path / "toy" / "run.json").exists()


def test_a_run_that_learns_the_commonest_label_alone_is_refused(toy_config: Path, tmp_path: Path) -> None:
    texts = [text for text, _ in sentences(600)]
    labels = ["positive" if number % 3 else "negative" for number in range(600)]  # whatever the text says
    rows = write_csv(tmp_path / "random.csv", list(zip(texts, labels, strict=True)))
    with pytest.raises(RunError, match=r"the commonest label 66\.7% \(p = ") as refused:
        private(toy_config, rows, tmp_path, "training.epochs=2")
    assert has_shape(f"error: {refused.value}", output("docs/private.md", 1)), refused.value
    assert not (tmp_path / "toy" / "run.json").exists()


def test_the_commonest_label_is_beaten_by_a_test_and_not_by_luck() -> None:
    truth = [0, 0, 0, 1, 1]
    # It gains two rows and loses none: one side of two fair coins, p = 1/4
    with pytest.raises(RunError, match=r"100\.0% of 5 validation rows right, .* 60\.0% \(p = 0\.25\)"):
        refuse_majority([0, 0, 0, 1, 1], truth)
    # Five gained and none lost: p = 1/32
    assert "(p = 0.031)" in refuse_majority([0] * 6 + [1] * 5, [0] * 6 + [1] * 5)
    with pytest.raises(RunError):
        refuse_majority([0] * 5, [0] * 5)


def test_each_weight_tensor_must_have_moved() -> None:
    from torch import nn

    from nlpkit.training.private_gates import trained_weights

    model = nn.Linear(2, 2)
    before = {name: weight.detach().clone() for name, weight in trained_weights(model).items()}
    model.weight.data += 1
    with pytest.raises(RunError, match="1 of 2 weight tensors, such as bias"):
        refuse_unmoved(before, model)
    model.bias.data += 1
    refuse_unmoved(before, model)


def test_epsilon_is_that_of_opacus() -> None:
    from opacus.accountants import PRVAccountant

    accountant = PRVAccountant()
    for _ in range(100):
        accountant.step(noise_multiplier=1.1, sample_rate=0.02)
    assert epsilon_of([(1.1, 0.02, 100)], 1e-5) == accountant.get_epsilon(delta=1e-5)
    # A full batch each time is the Gaussian mechanism: 4 steps with noise 4 are one with noise 2, of which
    # Balle and Wang's formula (arXiv:1805.06530) gives delta at epsilon
    epsilon = epsilon_of([(4.0, 1.0, 4)], 1e-5)
    assert gaussian_delta(epsilon, 2.0) == pytest.approx(1e-5, rel=0.1)
    assert epsilon_of([], 1e-5) == 0


def gaussian_delta(epsilon: float, noise: float) -> float:
    from scipy.stats import norm

    half = 1 / (2 * noise)
    first = norm.cdf(half - epsilon * noise)
    return float(first - math.exp(epsilon) * norm.cdf(-half - epsilon * noise))


def test_noise_is_the_least_that_keeps_the_promise() -> None:
    noise = find_noise(Private(epsilon=2), 1e-4, sample_rate=1.0, steps=4)
    assert 1.95 < epsilon_of([(noise, 1.0, 4)], 1e-4) <= 2


def test_a_person_with_several_rows_gets_the_same_promise_by_less_for_each_row() -> None:
    assert row_budget(2.0, 1e-5, 1) == (2.0, 1e-5)
    each, delta = row_budget(2.0, 1e-5, 2)
    assert each == 1.0
    assert delta * (1 + math.e) == pytest.approx(1e-5)  # two rows: delta + exp(1) * delta


def planned(count: int, **asked: Any) -> Any:
    texts = [f"text {number}" for number in range(count)]
    return plan_privacy(Private(**asked), texts, batch_size=count, steps=4, weights=100)


def test_an_epsilon_that_the_rows_cannot_give_is_refused_with_what_it_would_take() -> None:
    with pytest.raises(
        ConfigError, match=r"private.epsilon: 0.1 needs noise of .* clips with 20 rows"
    ) as refused:
        planned(20, epsilon=0.1)
    hint = str(refused.value)
    rows = int(hint.split("hint: about ")[1].split(" rows")[0].replace(",", ""))
    epsilon = float(hint.split("an epsilon of about ")[1])
    assert planned(20, epsilon=1.05 * epsilon).signal > 10
    assert planned(rows, epsilon=0.1).signal > 10


def test_a_promise_that_promises_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="publishing one of them would keep that promise"):
        planned(100, epsilon=8, delta=0.01)
    with pytest.raises(DataError, match="a training text stands 2 times, and one person may have 1 rows"):
        plan_privacy(Private(epsilon=8), ["a", "A!", "b"], batch_size=3, steps=1, weights=1)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("data.swaps=true", "data.swaps: copies of a row"),
        ("data.leave_out=doubts.csv", "data.leave_out: rows that are chosen by all"),
        ("seeds=[1, 2]", "seeds: each run spends the budget again"),
        ("self_training={unlabelled: texts.csv}", "self_training: each round spends the budget again"),
        ("text_hashes=true", "text_hashes: hashes of the training texts"),
        ("training.class_weights=balanced", "training.class_weights: they count"),
        ("training.consistency=0.1", "training.consistency: copies of a row"),
        ("training.accumulate=2", "training.accumulate"),
        ("training.max_grad_norm=0.5", "training.max_grad_norm"),
        ("training.precision=bf16", "training.precision: norms are exact"),
        ("training.track=[tensorboard]", "training.track"),
        ("lora.dora=true", "lora.dora"),
        ("task={kind: intensity}", "task: the task 'intensity' has no single label"),
    ],
)
def test_settings_that_break_the_promise_are_refused(
    toy_config: Path, rows: Path, tmp_path: Path, broken: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        private(toy_config, rows, tmp_path, *(("task={kind: polarity}",) if "task" in broken else ()), broken)


def test_labels_that_the_rows_decide_are_refused(toy_config: Path, rows: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training rows decide task\.labels"):
        private(toy_config, rows, tmp_path, "task={kind: polarity}")
