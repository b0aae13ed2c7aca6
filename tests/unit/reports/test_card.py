from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from huggingface_hub import ModelCard

from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.card import model_card
from nlpkit.reports.report import Baseline, ClassScore, DataCard, Findings, Report, SourceCard


def record(source: str = "minilm-l6", **fields: Any) -> dict[str, Any]:
    base = {"source": source, "revision": "abc123"}
    return {
        "base": base,
        "task": {},
        "outputs": 2,
        "max_tokens": 512,
        "temperature": 1.25,
        "seed": 7,
        **fields,
    }


def labelled(label: str = "good", name: str = "first") -> Report:
    return Report(
        run=name,
        data="held out/test",
        kind="labels",
        scores={
            "accuracy": Score(value=0.912345, low=0.9, high=0.92, count=1234, title="Accuracy", percent=True),
            "macro_f1": Score(value=0.5, count=1234, title="Macro F1"),
            "auroc": Score(value=None, count=1234, undefined="one label"),
        },
        findings=Findings(
            labels=("bad", label),
            per_class=(
                ClassScore(label="bad", precision=1, recall=1, f1=1, support=500),
                ClassScore(label=label, precision=1, recall=1, f1=1, support=12),
            ),
        ),
        baselines=(
            Baseline(
                name="VADER",
                scores={},
                tests={
                    "accuracy": PairedTest(
                        metric="accuracy", difference=0.1, low=0.05, high=0.15, count=10, resamples=10
                    )
                },
            ),
        ),
        data_card=DataCard(
            counts={"train": 6920},
            balance={"train": {"bad": 3000}},
            dropped={"near": 3},
            sources=(SourceCard(name="s", licence="CC0"),),
            notes=("n",),
        ),
    )


def test_metadata_is_what_the_hub_reads() -> None:
    data = ModelCard(model_card(labelled(), record("hub:org/base@main"), language="en", licence="mit")).data
    assert (data.base_model, data.library_name, data.pipeline_tag, data.language, data.license) == (
        "org/base",
        "peft",
        "text-classification",
        "en",
        "mit",
    )
    assert data.eval_results is not None
    assert {one.metric_type: one.metric_value for one in data.eval_results} == {"accuracy": 0.9123, "f1": 0.5}
    assert {one.dataset_name for one in data.eval_results} == {"held out/test"}


@pytest.mark.parametrize(
    ("source", "base"), [("minilm-l6", "sentence-transformers/all-MiniLM-L6-v2"), ("./my-model", None)]
)
def test_the_base_is_named_as_the_hub_knows_it_or_not_at_all(source: str, base: str | None) -> None:
    assert ModelCard(model_card(labelled(), record(source))).data.base_model == base


def test_the_text_says_the_numbers_and_their_limits() -> None:
    text = model_card(labelled(), record())
    assert "| Accuracy | 91.2% | 90.0% to 92.0% |" in text
    assert "Against VADER on the same texts: Accuracy +0.100 (95% interval +0.050 to +0.150)." in text
    assert "- train: 6,920 texts (bad 3,000)\n" in text
    assert "- left out: 3 (near)\n- source: s, licence CC0\n- n\n" in text
    assert "Only 12 of the texts it was measured on are good" in text
    assert "No licence is named here" in text
    assert "No licence is named here" not in model_card(labelled(), record(), licence="mit")


def test_the_lines_for_plain_transformers_are_python_whatever_the_labels() -> None:
    hostile = 'it\'s "good"\n```\n<script>alert(1)</script>'
    for card in (
        model_card(labelled(), record("hub:org/base@main")),
        model_card(labelled(hostile, hostile), record()),
        model_card(
            Report(run="r", data="d", kind="values", scores={}), record(task={"low": -4.0, "high": 4.0})
        ),
    ):
        code = re.findall(r"^```python\n(.*?)^```$", card, flags=re.DOTALL | re.MULTILINE)
        assert len(code) == 1
        ast.parse(code[0])
    assert "revision='abc123'" in model_card(labelled(), record("hub:org/base@main"))
    assert "logits / 1.25" in model_card(labelled(), record())


def test_hostile_names_stay_text() -> None:
    card = model_card(labelled("<script>alert(1)</script>", "# x | <b>"), record())
    prose = re.sub(r"```.*?```", "", card.split("---\n", 2)[2], flags=re.DOTALL)
    assert "<script>" not in prose.replace("\\<", "")
    assert prose.lstrip().startswith("# \\# x \\| \\<b\\>")


def test_a_number_says_its_range() -> None:
    text = model_card(
        Report(run="r", data="d", kind="values", scores={}), record(task={"low": -4.0, "high": 4.0})
    )
    assert "how negative or positive it is, from -4.0 to 4.0." in text
    assert "low, high = -4.0, 4.0" in text
    assert "The report does not say." in text
