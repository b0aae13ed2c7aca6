from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from huggingface_hub import ModelCard

from nlpkit.errors import DataError
from nlpkit.metrics.score import Score
from nlpkit.reports import dialogue_text
from nlpkit.reports.dialogue_report import DialogueReport, Rival, Verdict
from nlpkit.reports.report import Report
from tests.dialogue_sample import RIVAL, SCORES, compared, context, sample, score

RECORD: dict[str, Any] = {
    "base": {"source": "smollm2-135m", "revision": None},
    "task": {"system": ""},
    "max_tokens": 512,
    "seed": 7,
}
HOSTILE = 'a|b "q" it\'s\n```\n<script>alert(1)</script>\u202e\x1b'


def rated(value: float | None, low: float | None = None, high: float | None = None, **fields: Any) -> Verdict:
    rate = Score(value=value, low=low, high=high, count=10, percent=True)
    return Verdict(rate=rate, **{"judge": "J", "wins": 6, "losses": 3, "ties": 1, **fields})


def test_json_loses_nothing_and_another_kind_is_refused() -> None:
    assert DialogueReport.from_json(sample().to_json()) == sample()
    with pytest.raises(DataError, match="not a report that this nlpkit can read: kind"):
        Report.from_json(sample().to_json())


def test_a_clear_answer_is_said_clearly() -> None:
    assert list(dialogue_text.sentences(sample())) == [
        "Its perplexity on replies that it never saw is 23.41 (smollm2-135m: 28.84): what people answer surprises it less.",
        "By likelihood it picks the true reply out of 20 in 31.0% of cases (smollm2-135m: 22.0%; 5% by chance): "
        "it knows the true reply more often.",
        "By how much likelier the history makes each (PMI), it picks it in 64.0% of cases (smollm2-135m: 48.0%; 5% by chance): "
        "it knows the true reply more often.",
        "Without its history it loses 0.41 nats a token (95% interval 0.36 to 0.46; smollm2-135m: loses 0.30): it uses what was said.",
        "qwen2.5-72b, who saw 100 pairs of replies in both orders, prefers its replies to smollm2-135m's: "
        "it won 67.0% (95% interval 59.0% to 75.0%).",
    ]


def test_an_uncertain_difference_is_not_claimed_and_a_worse_one_is_owned() -> None:
    tests = {
        "perplexity": compared("perplexity", 0.4, -0.1, 0.9, 0.1),
        "hits@1": compared("hits@1", -0.05, -0.09, -0.01, 0.02),
    }
    rival = Rival(
        name="old",
        scores={"perplexity": score("perplexity", 23.0), "hits@1": score("hits@1", 0.36)},
        tests=tests,
    )
    found = list(dialogue_text.sentences(sample(rival=rival, verdict=None)))
    assert (
        found[0]
        == "Its perplexity on replies that it never saw is 23.41 (old: 23.00): that is not shown to be a difference."
    )
    picked = "By likelihood it picks the true reply out of 20 in 31.0% of cases"
    assert found[1] == f"{picked} (old: 36.0%; 5% by chance): it knows the true reply less often."


def test_without_a_rival_there_are_intervals_and_chance() -> None:
    assert list(dialogue_text.sentences(sample(rival=None, verdict=None))) == [
        "Its perplexity on replies that it never saw is 23.41 (95% interval 22.15 to 24.80).",
        "By likelihood it picks the true reply out of 20 in 31.0% of cases (95% interval 26.5% to 35.5%; 5% by chance).",
        "By how much likelier the history makes each (PMI), it picks it in 64.0% of cases (95% interval 59.0% to 69.0%; 5% by chance).",
        "Without its history it loses 0.41 nats a token (95% interval 0.36 to 0.46): it uses what was said.",
    ]


def test_of_nothing_nothing_is_said() -> None:
    bare = DialogueReport(
        run="r", data="d", seed=1, scores={"perplexity": score("perplexity", None, count=0)}
    )
    assert list(dialogue_text.sentences(bare)) == []
    assert list(dialogue_text.context_sentences(bare)) == []
    assert dialogue_text.measured_on(bare) == "0 replies"


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (
            (("none", 0.0, 0.0, 0.0),),
            "Without its history it loses 0.000 nats a token (95% interval 0.000 to 0.000): it is not shown to use its context.",
        ),
        (
            (("none", 0.2, None, None),),
            "Without its history it loses 0.20 nats a token: it is not shown to use its context.",
        ),
        (
            (("none", -0.05, -0.08, -0.02),),
            "Without its history it gains 0.050 nats a token (95% interval 0.020 to 0.080): its history misleads it.",
        ),
        ((("none", None, None, None),), "Without its history: not measured, no item has two turns."),
        # Better with any history, but no better with its own: that is no use of what was said.
        (
            (("other", 0.01, -0.1, 0.1), ("none", 0.4, 0.3, 0.5)),
            "Without its history it loses 0.40 nats a token (95% interval 0.30 to 0.50): "
            "a history helps it, though it is not shown that it must be the true one.",
        ),
        (
            (("shuffled", 0.4, 0.3, 0.5),),
            "With its turns in another order it loses 0.40 nats a token (95% interval 0.30 to 0.50): "
            "it uses the order in which things were said.",
        ),
    ],
)
def test_what_a_history_shows(losses: tuple[Any, ...], expected: str) -> None:
    assert next(dialogue_text.context_sentences(sample(rival=None, context=context(*losses)))) == expected


def test_the_histories_stand_from_the_easiest_to_the_hardest() -> None:
    found = list(dialogue_text.context_sentences(sample()))
    assert [one.split(" it ")[0] for one in found] == [
        "Without its history",
        "With the history of another conversation",
        "With its turns in another order",
    ]
    assert found[2].endswith("it is not shown to use the order of the turns.")


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (
            rated(0.65, 0.55, 0.7),
            "prefers its replies to base's: it won 65.0% (95% interval 55.0% to 70.0%).",
        ),
        (
            rated(0.35, 0.3, 0.4),
            "prefers base's replies to its own: it won 35.0% (95% interval 30.0% to 40.0%).",
        ),
        (
            rated(0.55, 0.4, 0.7),
            "is not shown to prefer either its replies or base's: it won 55.0% (95% interval 40.0% to 70.0%).",
        ),
        (rated(None, wins=0, losses=0, ties=0), "J has judged no pair: no answer could be read."),
    ],
)
def test_what_a_judge_shows(verdict: Verdict, expected: str) -> None:
    assert dialogue_text.judged(verdict, "base").endswith(expected)


def test_markdown_says_the_numbers_and_holds_no_texts() -> None:
    text = dialogue_text.to_markdown(sample())
    assert text.startswith(
        "# chitchat-smollm2/seed-1 on test\n\n400 replies of 138 conversations, 2025-03-04 05:06 UTC.\n"
    )
    assert "| hits@1/20 | 31.0% | 22.0% | +9.0 points (+4.3 to +13.8) | 0.001 | better |" in text
    assert "| Perplexity | 23.41 | 28.84 | -5.43 (-6.32 to -4.61) | 0.001 | better |" in text
    assert "| Length | 11.30 | 48.90 | -37.60 (-40.40 to -34.70) | 0.001 | differs |" in text
    assert (
        "| this run | its turns in another order | 0.024 | -0.004 to 0.053 | 0.5% | -0.1% to 1.1% |" in text
    )
    assert "| smollm2-135m | 23 | 3.362 | 3.302 to 3.422 |" in text
    assert "| qwen2.5-72b | 58 | 18 | 24 | 2 | 67.0% | 59.0% to 75.0% |" in text
    assert not [word for word in ("lake", "ramen", "Coltrane", "everyday things") if word in text]


def test_every_markdown_table_is_whole_whatever_the_names() -> None:
    rival = RIVAL.model_copy(update={"name": HOSTILE})
    text = dialogue_text.to_markdown(
        sample(run=HOSTILE, data=HOSTILE, rival=rival, verdict=rated(0.5, judge=HOSTILE))
    )
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert "<script>" not in text.replace("\\<", "")
    assert not set("\u202e\x1b") & set(text)


def test_a_bare_report_has_no_empty_sections() -> None:
    assert "##" not in dialogue_text.to_markdown(DialogueReport(run="r", data="d", seed=1, scores={}))


def test_the_card_has_the_metadata_that_the_hub_reads() -> None:
    data = ModelCard(dialogue_text.model_card(sample(), RECORD, language="en", licence="mit")).data
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
def test_the_card_says_how_to_use_it_in_lines_that_are_python(system: str) -> None:
    record = {
        **RECORD,
        "base": {"source": "hub:org/base@main", "revision": "abc123"},
        "task": {"system": system},
    }
    card = dialogue_text.model_card(sample(run=HOSTILE, data=HOSTILE), record)
    (code,) = re.findall(r"^```python\n(.*?)^```$", card, flags=re.DOTALL | re.MULTILINE)
    ast.parse(code)
    assert ("'system'" in code or '"system"' in code) == bool(system)
    assert "AutoModelForCausalLM.from_pretrained('org/base', revision='abc123')" in code
    assert "- Without its history it loses 0.41 nats a token" in card
    assert "- train: 1,105 conversations\n" in card
    assert "No licence is named here" in card
    prose = re.sub(r"^```.*?^```$", "", card.split("---\n", 2)[2], flags=re.DOTALL | re.MULTILINE)
    assert "<script>" not in prose.replace("\\<", "")
    assert not [word for word in ("lake", "ramen", "Coltrane") if word in card]
