from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from huggingface_hub import ModelCard

from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.card import model_card
from nlpkit.reports.label_tables import few_texts
from nlpkit.reports.parts import Baseline, DataCard, SourceCard
from nlpkit.reports.report import Report
from nlpkit.reports.usage import LABEL_USAGE, REPLY_USAGE, VALUE_USAGE
from tests.dialogue_sample import SCORES, sample

RECORD: dict[str, Any] = {
    "base": {"source": "smollm2-135m", "revision": None},
    "task": {"system": ""},
    "max_tokens": 512,
    "seed": 7,
}
HOSTILE = 'a|b "q" it\'s\n```\n<script>alert(1)</script>\u202e\x1b'


def record(source: str = "minilm-l6", **fields: Any) -> dict[str, Any]:
    base = {"source": source, "revision": "abc123"}
    return {
        "base": base,
        "task": {"labels": ["bad", "good"]},
        "outputs": 2,
        "max_tokens": 512,
        "temperature": 1.25,
        "seed": 7,
        **fields,
    }


def labeled(label: str = "good", name: str = "first") -> Report:
    return Report(
        run=name,
        data="held out/test",
        task="polarity",
        scores={
            "accuracy": Score(value=0.912345, low=0.9, high=0.92, count=1234, title="Accuracy", percent=True),
            "macro_f1": Score(value=0.5, count=1234, title="Macro F1", hub_name="f1"),
            "auroc": Score(value=None, count=1234, undefined="one label"),
        },
        limits=few_texts([("bad", 500), (label, 12)]),
        baselines=(
            Baseline(
                name="VADER",
                scores={"accuracy": Score(value=0.812345, count=1234, percent=True)},
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
            sources=(SourceCard(name="s", license="CC0"),),
            notes=("n",),
        ),
    )


def test_metadata_is_what_the_hub_reads() -> None:
    data = ModelCard(
        model_card(labeled(), record("hub:org/base@main"), LABEL_USAGE, language="en", license="mit")
    ).data
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
    assert ModelCard(model_card(labeled(), record(source), LABEL_USAGE)).data.base_model == base


def test_the_text_says_the_numbers_and_their_limits() -> None:
    text = model_card(labeled(), record(), LABEL_USAGE)
    assert "| Accuracy | 91.2% | 90.0% to 92.0% |" in text
    assert "Compared with VADER on the same texts:" in text
    assert "| Accuracy | 91.2% | 81.2% | +10.0 points (+5.0 to +15.0) |" in text
    assert "- train: 6,920 texts (bad 3,000)\n" in text
    assert "- left out: 3 (near)\n- source: s, license CC0\n- n\n" in text
    assert "Only 12 of the texts it was measured on are good" in text
    assert "No license is named here" in text
    assert "No license is named here" not in model_card(labeled(), record(), LABEL_USAGE, license="mit")


def test_the_lines_for_plain_transformers_are_python_whatever_the_labels() -> None:
    hostile = 'it\'s "good"\n```\n<script>alert(1)</script>'
    for card in (
        model_card(labeled(), record("hub:org/base@main"), LABEL_USAGE),
        model_card(labeled(hostile, hostile), record(task={"labels": ["bad", hostile]}), LABEL_USAGE),
        model_card(
            Report(run="r", data="d", task="intensity", scores={}),
            record(task={"low": -4.0, "high": 4.0}),
            VALUE_USAGE,
        ),
    ):
        code = re.findall(r"^```python\n(.*?)^```$", card, flags=re.DOTALL | re.MULTILINE)
        assert len(code) == 1
        ast.parse(code[0])
    assert "revision='abc123'" in model_card(labeled(), record("hub:org/base@main"), LABEL_USAGE)
    assert "logits / 1.25" in model_card(labeled(), record(), LABEL_USAGE)


def test_hostile_names_stay_text() -> None:
    card = model_card(labeled("<script>alert(1)</script>", "# x | <b>"), record(), LABEL_USAGE)
    prose = re.sub(r"```.*?```", "", card.split("---\n", 2)[2], flags=re.DOTALL)
    assert "<script>" not in prose.replace("\\<", "")
    assert prose.lstrip().startswith("# \\# x \\| \\<b\\>")


def test_a_number_says_its_range() -> None:
    text = model_card(
        Report(run="r", data="d", task="intensity", scores={}),
        record(task={"low": -4.0, "high": 4.0}),
        VALUE_USAGE,
    )
    assert "how negative or positive it is, from -4.0 to 4.0." in text
    assert "low, high = -4.0, 4.0" in text
    assert "The report does not say." in text


def test_the_card_of_a_chat_model_has_the_metadata_that_the_hub_reads() -> None:
    data = ModelCard(model_card(sample(), RECORD, REPLY_USAGE, language="en", license="mit")).data
    assert (data.base_model, data.library_name, data.pipeline_tag, data.language, data.license) == (
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "peft",
        "text-generation",
        "en",
        "mit",
    )
    assert data.eval_results is not None
    assert {one.metric_type: one.metric_value for one in data.eval_results}["perplexity"] == 23.41
    assert len(data.eval_results) == len([one for one in SCORES.values() if one.value is not None])


@pytest.mark.parametrize("system", ["", "Be kind.", HOSTILE])
def test_the_card_of_a_chat_model_says_how_to_use_it_in_lines_that_are_python(system: str) -> None:
    record = {
        **RECORD,
        "base": {"source": "hub:org/base@main", "revision": "abc123"},
        "task": {"system": system},
    }
    card = model_card(sample(run=HOSTILE, data=HOSTILE), record, REPLY_USAGE)
    (code,) = re.findall(r"^```python\n(.*?)^```$", card, flags=re.DOTALL | re.MULTILINE)
    ast.parse(code)
    assert ("'system'" in code or '"system"' in code) == bool(system)
    assert "AutoModelForCausalLM.from_pretrained('org/base', revision='abc123')" in code
    assert "- Without its history it loses 0.41 nats a token" in card
    assert "- train: 1,105 conversations\n" in card
    assert "No license is named here" in card
    prose = re.sub(r"^```.*?^```$", "", card.split("---\n", 2)[2], flags=re.DOTALL | re.MULTILINE)
    assert "<script>" not in prose.replace("\\<", "")
    assert not [word for word in ("lake", "ramen", "Coltrane") if word in card]
