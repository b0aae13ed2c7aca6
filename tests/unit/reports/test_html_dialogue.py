from __future__ import annotations

import itertools
import re

import pytest

from nlpkit.metrics.score import Score
from nlpkit.reports.html import scale_of, to_html
from nlpkit.reports.parts import Cost, DataCard, SourceCard, Step
from nlpkit.reports.reply_findings import Exchange, JudgeVerdict
from nlpkit.reports.report import Report
from tests.dialogue_sample import BASELINE, findings, sample, score
from tests.pages import Page

HOSTILE = (
    "<script>alert(1)</script>",
    "</p></li></article><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></title><script>alert(1)</script>--><!--",
    "{{ 7 * 7 }} {% raw %} $x^{2$ javascript:alert(1)",
    "<a href=//evil.example>x</a><base href=//evil.example><meta http-equiv=refresh content=0>",
    "\u202eevil\x00\x08\x1b\u2066",
)


def worded(word: str) -> Report:
    """A report that holds the word wherever a text of people, of a model or of a config can stand."""
    history = (("user", word), ("assistant", word), (word, word))
    found = findings(
        baseline=BASELINE.model_copy(update={"name": word}),
        exchanges=tuple(
            Exchange(where=word, system=word, history=history, truth=word, reply=word, baseline=word)
            for _ in range(6)
        ),
        verdict=JudgeVerdict(judge=word, wins=1, losses=1, ties=1, rate=Score(value=0.5, count=3)),
        scores={
            "perplexity": Score(value=None, count=1, title=word, undefined=word),
            word: Score(value=0.5, count=1, meaning=word),
        },
    )
    return sample(
        found,
        run=word,
        data=word,
        curve=(Step(step=1, loss=0.7), Step(step=2, loss=0.5, metrics={word: 0.5})),
        data_card=DataCard(
            counts={word: 5},
            dropped={word: 2},
            notes=(word,),
            sources=(SourceCard(name=word, license=word, origin=word),),
        ),
        cost=Cost(device=word, train_seconds=5),
        config=word,
        versions={word: word},
    )


@pytest.fixture(scope="module")
def benign() -> Page:
    return Page(to_html(worded("word")))


@pytest.fixture(scope="module")
def page() -> str:
    return to_html(sample())


@pytest.mark.parametrize("word", [" ".join(HOSTILE[start::4]) for start in range(4)])
def test_hostile_words_are_inert_wherever_they_stand(word: str, benign: Page) -> None:
    hostile = Page(to_html(worded(word)))
    assert hostile.tags == benign.tags
    assert hostile.tags["script"] == hostile.tags["img"] == hostile.tags["base"] == 0
    assert not [name for name, _ in hostile.attributes if name.startswith("on")]
    assert sorted(name for name, _ in hostile.attributes) == sorted(name for name, _ in benign.attributes)
    assert not set("\x00\x08\x1b\u202e\u2066") & set(hostile.text)
    assert not [value for name, value in hostile.attributes if name == "class" and value and "evil" in value]


def test_the_page_is_whole_and_asks_nobody(page: str) -> None:
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)=["'](?!#)|@import|url\((?!#)""", page)
    assert "<script" not in page
    assert "#0102" not in page
    assert "#0103" not in page
    assert len(page) < 300_000


def test_ids_are_unique_and_every_link_has_its_place(page: str) -> None:
    found = Page(page)
    ids = [value for name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {
        str(value).removeprefix("#")
        for name, value in found.attributes
        if name in ("href", "xlink:href", "aria-labelledby")
    }
    assert links <= set(ids)
    assert {"context", "against", "conversations", "judge", "data", "curve", "made"} <= links


def test_headings_go_down_one_step_at_a_time(page: str) -> None:
    levels = [int(tag[1]) for tag in Page(page).order if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_tables_have_captions_and_scopes_and_pictures_have_words(page: str) -> None:
    found = Page(page)
    assert found.tags["table"] == found.tags["caption"] > 0
    assert found.tags["th"] == len([name for name, _ in found.attributes if name == "scope"])
    pictures = re.findall(r"<svg[^>]*>", page)
    assert len(pictures) == 3
    assert all('role="img"' in one and re.search(r'aria-label="[^"]{20,}"', one) for one in pictures)


def test_headlines_stand_beside_the_base(page: str) -> None:
    text = " ".join(Page(page).text.split())
    assert (
        "Perplexity 23.41 95%: 22.15 to 24.80 smollm2-135m: 28.84 (27.10 to 30.72) better -5.43 (-6.32 "
        "to -4.61)" in text
    )
    assert (
        "hits@1/20 31.0% 95%: 26.5% to 35.5% smollm2-135m: 22.0% (18.0% to 26.3%) better +9.0 points" in text
    )
    assert (
        "Use of context 0.412 nats a token 95%: 0.361 to 0.464 smollm2-135m: 0.302 (0.250 to 0.355) uses it"
        in text
    )
    assert "Length11.3048.90differs-37.60(-40.40to-34.70)0.001" in text.replace(" ", "")
    assert "it is not shown to use the order of the turns" in text
    assert "Hostile repliesnothing to measure it on" in text
    assert "Likeness to the person's reply." in text
    assert "won58ties18lost24" in text.replace(" ", "")


def test_conversations_stand_as_bubbles_with_three_replies(page: str) -> None:
    assert page.count('<li class="mine">') == 3
    assert page.count('<li class="theirs">') == 6
    assert (
        page.count('class="reply person"')
        == page.count('class="reply run"')
        == page.count('class="reply baseline"')
        == 5
    )
    assert "<em>says nothing</em>" in page
    assert "It opens the conversation." in page
    assert "<summary>1 more</summary>" in page


def test_a_report_without_a_baseline_and_a_bare_one() -> None:
    alone = to_html(sample(findings(baseline=None, verdict=None)))
    assert "smollm2-135m" not in re.sub("<pre.*?</pre>", "", alone, flags=re.DOTALL).replace(
        "chitchat-smollm2", ""
    )
    assert 'id="scores"' in alone
    assert "nothing to measure it on" in alone
    bare = Page(to_html(Report(run="r", data="d", task="dialogue", scores={})))
    assert bare.tags["svg"] == bare.tags["table"] == 0


def test_a_scale_starts_at_zero_and_holds_both_intervals() -> None:
    assert scale_of(score("perplexity", 10, 8, 12), score("perplexity", 19, 18, 20)) == (
        0.0,
        22.0,
    )
    assert scale_of(score("mrr", 0.1, -0.1, 0.2), None) == pytest.approx((-0.11, 0.22))
    assert scale_of(score("mrr", 0.0), None) == (0.0, 1.0)
