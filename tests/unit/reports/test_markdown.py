from __future__ import annotations

import re

from nlpkit.metrics.score import Score
from nlpkit.reports.markdown import to_markdown
from nlpkit.reports.reply_findings import JudgeVerdict
from nlpkit.reports.report import Report
from tests.dialogue_sample import BASELINE, findings, sample

HOSTILE = 'a|b "q" it\'s\n```\n<script>alert(1)</script>\u202e\x1b'


def test_markdown_says_the_numbers_and_holds_no_texts() -> None:
    text = to_markdown(sample())
    assert text.startswith(
        "# chitchat-smollm2/seed-1 on test\n\n400 replies of 138 conversations, 2025-03-04 05:06 UTC.\n"
    )
    assert "| hits@1/20 | 31.0% | 22.0% | +9.0 points (+4.3 to +13.8) | 0.001 | better |" in text
    assert "| Perplexity | 23.41 | 28.84 | -5.43 (-6.32 to -4.61) | 0.001 | better |" in text
    assert "| Length | 11.30 | 48.90 | -37.60 (-40.40 to -34.70) | 0.001 | differs |" in text
    assert (
        "| its turns in another order | 0.024 | -0.004 to 0.053 | 0.021 | -0.008 to 0.050 | 0.5% | "
        "-0.1% to 1.1% |" in text
    )
    assert "| 23 | 3.153 | 3.093 to 3.213 | 3.362 | 3.302 to 3.422 |" in text
    assert "| won | 58 |\n| ties | 18 |\n| lost | 24 |" in text
    assert "2 of its answers named no winner" in text
    assert not [word for word in ("lake", "ramen", "Coltrane", "everyday things") if word in text]


def test_every_markdown_table_is_whole_whatever_the_names() -> None:
    judge = JudgeVerdict(judge=HOSTILE, wins=6, losses=3, ties=1, rate=Score(value=0.5, count=10))
    found = findings(baseline=BASELINE.model_copy(update={"name": HOSTILE}), verdict=judge)
    text = to_markdown(sample(found, run=HOSTILE, data=HOSTILE))
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert "<script>" not in text.replace("\\<", "")
    assert not set("\u202e\x1b") & set(text)


def test_a_bare_report_has_no_empty_sections() -> None:
    assert "##" not in to_markdown(Report(run="r", data="d", task="dialogue", scores={}))
