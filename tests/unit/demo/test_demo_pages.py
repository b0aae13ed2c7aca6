"""What the demo draws: escaped, counted right, and readable without the picture."""

from __future__ import annotations

import dataclasses
import re
from html import escape
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import theilslopes

from demo.charts import bars, histogram, sentiment_plot
from demo.file_pages import file_entry, file_strip
from demo.guard import DemoLimits
from demo.panel import context_page, mood_strip, sentiment_page, status
from demo.reports import find_runs, frame
from demo.score_pages import effects_page, file_page, text_page, upload_page
from demo.scored_summary import binned
from demo.scoring import look, score_upload
from demo.suggested import FOLLOW_UPS, STARTERS, suggestions
from demo.text_scorer import explain_text, explainer_of, score_text
from demo.view import note, showing_errors
from nlpkit.chat.attached_file import AttachedFile, FileStart
from nlpkit.chat.messages import Chat, ChatMessage
from nlpkit.chat.sentiment import Sentiment, SentimentTrend
from nlpkit.data.examples import Span
from nlpkit.errors import DataError, RunError, SourceError
from nlpkit.generation.completion import OverloadedError
from nlpkit.generation.context import Context, CountedBy
from nlpkit.generation.server_errors import ServerError
from nlpkit.run import Run
from nlpkit.run_record import BaseModelIdentity, RunRecord
from nlpkit.tasks.answers.span_showing import shown_opinions
from nlpkit.tasks.aspects import Aspects
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.prediction import FoundOpinion, Prediction
from tests.bags import bag
from tests.browser.fake import FakeScorer

EVIL = "<img src=x onerror=alert(1)>\"'"


def chat(*texts: str, **last: object) -> Chat:
    messages = [
        ChatMessage(
            id=str(number),
            role=("user", "assistant")[number % 2],
            text=text,
            created=0.0,
            **(last if number == len(texts) - 1 else {}),
        )
        for number, text in enumerate(texts)
    ]
    return Chat(id="1", title=EVIL, system="", run="", created=0.0, updated=0.0, messages=tuple(messages))


def sentiment(score: float, label: str = "any", sure: bool = True) -> Sentiment:
    probability = 0.9 if sure else 0.5
    return Sentiment(
        label=label, score=score, probabilities={label: probability, f"not {label}": 1 - probability}
    )


def trend(*sentiments: Sentiment) -> SentimentTrend:
    return SentimentTrend(sentiments=sentiments)


def test_a_mood_is_a_point_between_its_ends() -> None:
    svg = sentiment_plot(trend(*map(sentiment, (1.0, 0.0, -1.0, 5.0), ("a", "b", EVIL, "d"))))
    heights = [float(one) for one in re.findall(r'cy="([\d.]+)"', svg)]
    # 150 high, 10 above and 22 below: 1 at 10, -1 at 128, and nothing outside
    assert heights == [10.0, 69.0, 128.0, 10.0]
    assert 'aria-label="Mood of 4 of your messages. You sound very happy (d, 90%).' in svg
    assert "<img" not in svg


def test_a_point_of_the_mood_links_to_its_message() -> None:
    svg = sentiment_plot(trend(sentiment(0.5), sentiment(0.1)), turns=[0, 3])
    assert re.findall(r'<a href="#chatbot" data-turn="(\d+)" aria-label="message (\d+):', svg) == [
        ("0", "1"),
        ("3", "4"),
    ]


def test_the_words_that_drove_a_mood_are_marked_by_their_effect() -> None:
    page = sentiment_page(
        trend(sentiment(-0.8, "negative")),
        [("not", -0.04), ("a", 0.0), ("bad", -0.9), (",", 0), (EVIL, 0.25)],
        f"not a  bad, {EVIL}",
    )
    # as it was typed, with nothing between a word and its comma
    assert (
        'not a  <mark class="bad" style="--effect:90%" title="-0.90">bad</mark>, <mark class="good"' in page
    )
    assert 'class="good" style="--effect:25%" title="+0.25">' in page
    assert ">not<" not in page
    assert "<img" not in page
    assert "You sound very unhappy (negative, 90%)." in page


def test_d2_words_around_zero_are_not_colored_at_full_strength() -> None:
    page = sentiment_page(
        trend(sentiment(0.0, "neutral")), [("plain", 0.06), ("words", -0.02)], "plain words"
    )
    assert re.findall(r"--effect:(\d+)%", page) == ["6"]


def test_d2_a_mood_that_is_not_sure_has_no_color_and_no_claim() -> None:
    unsure = trend(sentiment(0.9), sentiment(-0.4, "negative", sure=False))
    page = sentiment_page(unsure, [("bad", -0.9)], "bad")
    assert "Not sure how you sound (negative, 50%)." in page
    assert "<mark" not in page
    assert re.findall(r'<circle class="(\w+)"', page) == ["good", "unsure"]
    assert 'class="dot unsure"' in mood_strip(unsure)
    assert mood_strip(trend()) == ""


MOODS = st.lists(
    st.builds(sentiment, st.floats(-1, 1), st.just("any"), st.booleans()), min_size=1, max_size=12
)
STEADY_MOODS = st.builds(
    lambda start, step, count: [sentiment(max(-1, min(1, start + step * turn))) for turn in range(count)],
    st.floats(-1, 1),
    st.floats(-0.3, 0.3),
    st.integers(1, 12),
)


@settings(deadline=None)
@given(MOODS | STEADY_MOODS)
def test_d2_the_words_never_contradict_the_plot(sentiments: list[Sentiment]) -> None:
    page = sentiment_page(trend(*sentiments))
    tones = re.findall(r'<circle class="(\w+)"', page)
    heights = [-float(cy) for cy in re.findall(r'cy="([-\d.]+)"', page)]
    words = re.sub("<[^>]*>", "", page[: page.index("<svg")])
    name = re.search(r"You sound (?:very )?(happy|unhappy|neither happy nor unhappy)", words)
    colors = {"happy": "good", "unhappy": "bad", "neither happy nor unhappy": "even"}
    assert tones[-1] == (colors[name[1]] if name else "unsure")
    assert ("Not sure" in words) == (name is None)
    if step := re.search(r"more (positive|negative) than the one before", words):
        assert "unsure" not in tones[-2:]
        assert (heights[-1] > heights[-2]) == (step[1] == "positive")
    if going := re.search(r"last (\d+) messages the mood is (rising|falling)", words):
        drawn = [(x, y) for x, (y, tone) in enumerate(zip(heights, tones, strict=True)) if tone != "unsure"]
        last = [point for point in drawn if point[0] >= len(heights) - int(going[1])]
        slope = theilslopes([y for _, y in last], [x for x, _ in last]).slope
        assert (slope > 0) == (going[2] == "rising")
        assert not step or (step[1] == "positive") == (going[2] == "rising")


def test_the_ledger_has_a_square_for_each_turn() -> None:
    context = Context(seen=(2, 3, 4), recalled=(1,), dropped=(0,), tokens=150, token_budget=200, summary=EVIL)
    page = context_page(chat("a", "b", "c", "d", "e", "f"), context, "bot")
    assert "3 of 5 turns, 1 recalled, 1 no longer; 150 of 200 tokens." in page
    squares = re.findall(r'<span class="(seen|recalled|dropped)"', page)
    assert squares == ["dropped", "recalled", "seen", "seen", "seen"]
    assert "width:75.0%" in page
    assert "<img" not in page


def test_the_last_reply_is_told_about() -> None:
    said = status(
        chat("a", "b", finish="stopped", versions=2, version=2, rating="down", reason=EVIL).messages
    )
    assert said.startswith("You stopped this reply. You rated it bad: ")
    assert "<img" not in said
    assert status(()) == ""


def test_d3_an_interrupted_reply_offers_continue_and_retry_in_place() -> None:
    context = Context(seen=(0,), recalled=(), dropped=(), tokens=5, token_budget=10)
    line = status(chat("a", "b", finish="interrupted", context=context).messages)
    assert line.startswith("This reply was interrupted.")
    assert re.findall(r'data-press="(\w+)"', line) == ["resume", "retry"]
    # a server continues no reply
    context = dataclasses.replace(context, counted_by="server")
    line = status(chat("a", "b", finish="interrupted", context=context).messages)
    assert re.findall(r'data-press="(\w+)"', line) == ["retry"]
    assert re.findall(r'data-press="(\w+)"', status(chat("a", "b", finish="interrupted").messages)) == [
        "retry"
    ]
    assert re.findall(r'data-press="(\w+)"', status(chat("a").messages)) == ["retry"]


def test_d4_a_failure_is_told_in_plain_words() -> None:
    raw = 'http://10.0.0.1:9/v1: the server answered 500: {"error": {"message": "CUDA"}}'
    for error in (SourceError(raw), OverloadedError(raw), ValueError(raw)):
        words = note(error)
        assert "model" in words
        assert not any(sign in words for sign in ("http", "{", "500", "CUDA"))
    assert note(None) == ""
    # of a server these are plain words already, and name it
    words = note(ServerError("http://10.0.0.1:9/v1: cannot be reached; hint: start it"))
    assert words == "The model could not answer. http://10.0.0.1:9/v1: cannot be reached. Start it."
    # of a run they name files of the machine
    assert "/home" not in note(RunError("/home/me/runs/bot: no such run"))
    line = status(chat("a").messages, note(SourceError(raw)) + EVIL)
    assert "<img" not in line
    assert 'data-press="retry"' in line


def test_numbers_fall_in_twenty_bins_with_both_ends() -> None:
    counts = binned([-1.0, -0.95, 0.0, 0.999, 1.0, 7.0], -1.0, 1.0)
    assert (counts[0], counts[10], counts[19], sum(counts)) == (2, 1, 3, 6)
    assert binned([3.0, 3.0], 3.0, 3.0)[0] == 2


def test_bars_and_columns_are_in_proportion() -> None:
    assert re.findall(r"width:([\d.]+)%", bars({"a": 2, "b": 4}, spoken="x")) == ["50.0", "100.0"]
    heights = [
        float(one) for one in re.findall(r'height="([\d.]+)"><title>', histogram([1, 4], 0, 1, spoken="x"))
    ]
    assert heights == [29.5, 118.0]


@pytest.mark.parametrize("text", ["", "  \n", "x" * 20_001])
def test_a_text_of_no_or_too_many_characters_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="the text"):
        score_text(FakeScorer(), text, DemoLimits())


def test_a_text_is_answered_with_its_probabilities() -> None:
    scorer = FakeScorer()
    answer = score_text(scorer, "a lovely film", DemoLimits())
    page = text_page(scorer.shown(answer), partial=False)
    assert "positive" in page
    assert "+0.600" in page
    assert "80 %" in page


def opinion(text: str, aspect: str, words: str | None, polarity: str) -> FoundOpinion:
    spans = [
        None if part is None else Span(start=text.index(part), end=text.index(part) + len(part))
        for part in (aspect, words)
    ]
    assert spans[0] is not None
    return FoundOpinion(
        text=text, aspect=spans[0], opinion=spans[1], polarity=polarity, probability=0.9
    )  # fmt: skip


def test_parts_of_a_scored_text_stand_out_by_color_and_in_words() -> None:
    text = "👩‍🍳 <b>cafe\u0301</b> is 👍🏽, the staff & the bill so-so\nreally"
    opinions = (
        opinion(text, "cafe\u0301", "👍🏽", "positive"),
        opinion(text, "the bill", "so-so", "mixed"),
        opinion(text, "staff", None, "NEG"),
    )
    page = text_page(shown_opinions(Prediction(opinions=opinions)), partial=False)
    words = page.split('<p class="words" dir="auto">')[1].split("</p>")[0]
    assert words == (
        '👩‍🍳 &lt;b&gt;<mark class="good part">cafe\u0301<small> 1 positive</small></mark>&lt;/b&gt; is '
        '<mark class="good part">👍🏽<small> 1</small></mark>, the '
        '<mark class="bad part">staff<small> 3 NEG</small></mark> &amp; '
        '<mark class="even part">the bill<small> 2 mixed</small></mark> '
        '<mark class="even part">so-so<small> 2</small></mark>\nreally'
    )


def test_parts_that_share_characters_are_all_shown() -> None:
    text = "very good food"
    opinions = (
        opinion(text, "food", "very good", "positive"),
        opinion(text, "food", "good food", "negative"),
        opinion(text, "good food", None, EVIL),
    )
    page = text_page(shown_opinions(Prediction(opinions=opinions)), partial=False)
    marks = re.findall(r'<mark class="(\w+) part">(.*?)</mark>', page)
    assert [(kind, re.sub("<.*", "", shown)) for kind, shown in marks] == [
        ("good", "very "), ("even", "good"), ("even", " "), ("even", "food")
    ]  # fmt: skip
    names = [re.findall("<small> (.*)</small>", shown) for _, shown in marks]
    assert names[1:3] == [["1"], []]
    assert names[3] == [f"1 positive, 2 negative, 2, 3 {escape(EVIL)}"]
    assert "<img" not in page
    assert "mark" not in text_page(shown_opinions(Prediction(opinions=())), partial=False)


def effects_of(base: Path, text: str, **settings: float) -> str:
    explainer = explainer_of(bag(base, Polarity(labels=("negative", EVIL)), **settings))
    assert explainer is not None
    return effects_page(explain_text(explainer, text))


def test_the_words_of_a_scored_text_are_marked_by_what_they_add(tiny_base: Path) -> None:
    """Of the second label "good" adds 2 and "bad" takes 1.5; other words add nothing."""
    page = effects_of(tiny_base, "good <b>film</b>\nbut bad")
    words = page.split('<p class="words" dir="auto">')[1].split("</p>")[0]
    assert words == (
        '<mark class="for part" style="--effect:100%">good<small> +2.00</small></mark> '
        "&lt;b&gt;film&lt;/b&gt;\nbut "
        '<mark class="against part" style="--effect:75%">bad<small> \u22121.50</small></mark>'
    )
    assert f"<h3>What \u201c{escape(EVIL)}\u201d rests on</h3>" in page
    assert "a solid line: the word speaks for the label" in page
    assert "a dashed line" in page
    assert "<img" not in page


def test_a_long_text_is_not_explained_while_somebody_waits(tiny_base: Path) -> None:
    assert "<mark" in effects_of(tiny_base, "the " * 39 + "good")
    assert "up to 40 words" in effects_of(tiny_base, "good " * 41)
    assert "up to 40 words" in effects_of(tiny_base, "good " * 3000)


def test_where_no_word_counts_the_page_says_so(tiny_base: Path) -> None:
    page = effects_of(tiny_base, "the film")
    assert "No single word changes it" in page
    assert "dashed" not in page


def test_what_cannot_be_explained_has_no_explainer(tiny_base: Path) -> None:
    assert explainer_of(bag(tiny_base, Aspects(labels=("negative", "positive")))) is None
    assert explainer_of(FakeScorer()) is None


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.exe", "x", "ends in '.exe'"),
        ("a.csv.gz", "x", "ends in '.gz'"),
        ("a.csv", "other\nx\n", "no column 'text'"),
        ("a.csv", "", "a.csv"),
        ("a.jsonl", '{"text": 1}\n', "a.jsonl"),
        ("a.parquet", "not parquet", "a.parquet"),
        ("a.csv", "text\n" + "x\n" * 60, "more than 10 rows"),
        ("a.csv", "text\n" + "y" * 1100, "bytes"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, name: str, content: str, what: str) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(DataError, match=re.escape(what)):
        score_upload(
            FakeScorer(), file, tmp_path / "out", column="text", limits=DemoLimits(rows=10, upload_bytes=1000)
        )
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_file_is_scored_and_columns_that_are_there_stay(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(
        '{"text": "good", "label": "mine"}\n{"text": "<b>bad</b> bad", "label": "yours"}\n{"text": ""}\n'
    )
    scored = score_upload(FakeScorer(), file, tmp_path / "out", column="text", limits=DemoLimits())
    assert scored.labels == {"negative": 1, "positive": 1}
    assert (scored.summary.rows, scored.summary.rejected) == (2, 1)
    assert sum(scored.bins) == 2
    page = file_page(scored)
    assert "2 rows scored" in page
    assert "1 left out" in page
    assert "<b>" not in page
    assert '"label":"mine"' in scored.path.read_text().replace(" ", "")


def test_d8_the_column_of_the_texts_is_guessed_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "tickets.csv"
    file.write_text("Ticket,Customer comment\nT-100,The parcel <b>never</b> came\nT-101,Great help\n")
    upload = look(file, DemoLimits())
    assert (upload.columns, upload.text) == (["Ticket", "Customer comment"], "Customer comment")
    assert upload.sample == ["The parcel <b>never</b> came", "Great help"]
    page = upload_page(file.name, upload)
    assert "&lt;b&gt;never" in page
    file.write_text("a,b\n7,a longer text\n")
    assert look(file, DemoLimits()).text == "b"


def test_d8_the_strongest_rows_are_shown_with_the_words_that_drove_them(tmp_path: Path) -> None:
    texts = ["fine", "bad bad", "good", "good <i>film</i>", *["a film"] * 10, "awful", "lovely good"]
    file = tmp_path / "a.csv"
    file.write_text("text\n" + "\n".join(texts) + "\n")
    scored = score_upload(FakeScorer(), file, tmp_path / "out", column="text", limits=DemoLimits())
    # two words: 0.9 at most; one word: 0.6; equal ones in the order of the file
    assert [row.text for row in scored.strongest["Most positive"]] == [
        "lovely good",
        "good",
        "good <i>film</i>",
    ]
    assert [row.text for row in scored.strongest["Most negative"]] == ["bad bad", "awful"]
    assert dict(scored.strongest["Most positive"][1].words) == {"good": pytest.approx(0.6)}
    page = file_page(scored)
    assert '<mark class="good"' in page
    assert "&lt;i&gt;" in page
    assert "<i>" not in page


def test_d8_a_column_of_true_labels_gives_accuracy_and_confusion(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    rows = ["good,positive,1", "bad,negative,2", "good,negative,3", "awful,,4"]
    file.write_text("text,sentiment,id\n" + "\n".join(rows) + "\n")
    scored = score_upload(FakeScorer(), file, tmp_path / "out", column="text", limits=DemoLimits())
    assert scored.truth is not None
    assert scored.truth.column == "sentiment"
    assert scored.truth.counts == {
        ("positive", "positive"): 1,
        ("negative", "negative"): 1,
        ("negative", "positive"): 1,
    }
    # Wilson's interval of 2 of 3, worked out by hand: (0.6667 + 0.6403 ± 0.7536) / 2.2805
    assert "66.7% of 3 rows as in the column sentiment (95% interval 20.8% to 93.9%)" in file_page(scored)
    file.write_text("text,sentiment\ngood,excellent\n")
    scored = score_upload(FakeScorer(), file, tmp_path / "out", column="text", limits=DemoLimits())
    assert scored.truth is None


def test_d8_an_error_tells_no_folder_and_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes("text\nd\xe9j\xe0 vu\n".encode("latin-1"))
    shown: list[str] = []
    monkeypatch.setattr("demo.view.gr.Warning", lambda words, **_: shown.append(words))
    with showing_errors(str(file)):
        score_upload(FakeScorer(), file, tmp_path / "out", column="text", limits=DemoLimits())
    assert "a.csv" in shown[0]
    assert str(tmp_path) not in shown[0]
    assert "--" not in shown[0]


def a_run(folder: Path, report: str) -> Path:
    folder.mkdir(parents=True)
    record = RunRecord(
        name=folder.name,
        recipe="sentiment",
        created="2026-01-01T00:00:00+00:00",
        task={"kind": "polarity"},
        max_tokens=8,
        seed=1,
        base=BaseModelIdentity(source="x", revision=None, weights_sha256="0", tokenizer_sha256="0"),
        data={},
        cost={},
        versions={},
    )
    Run(folder).report.write_text(report, encoding="utf-8")
    Run(folder).marker.write_text(record.model_dump_json(), encoding="utf-8")
    return folder


def test_a_report_is_found_and_shut_in_a_frame(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    one = a_run(runs / "one", "<html><script>alert(1)</script></html>")
    a_run(runs / "several" / "seed-1", "<html></html>")
    (a_run(runs / "damaged", "<html></html>") / "run.json").write_text("{")
    (runs / "half").mkdir()
    (runs / "link").symlink_to(one)
    (runs / "no-report").mkdir()
    (runs / "no-report" / "run.json").write_text((one / "run.json").read_text())
    assert find_runs(tmp_path / "none") == []
    found = {found.name: found for found in find_runs(runs)}
    assert sorted(found) == ["one", "several/seed-1"]
    page = frame(found["one"])
    assert 'sandbox=""' in page
    # all of the report is inside the attribute
    assert re.findall(r"<\w+", page) == ["<iframe"]
    assert "&lt;script&gt;" in page


def test_d10_the_ledger_says_how_much_of_a_file_is_read() -> None:
    file = AttachedFile(name=EVIL, text="x" * 3000)
    assert "all 3,000 characters, 750 tokens" in file_entry(file, FileStart(text="x" * 3000, tokens=750))
    assert "the first 1,200 of 3,000 characters, 300 tokens" in file_entry(
        file, FileStart(text="x" * 1200, tokens=300)
    )
    assert "the server counts" in file_entry(file, FileStart(text="x" * 3000, tokens=None))
    assert "the next reply counts" in file_entry(file, None)
    assert "<img" not in file_entry(file, None) + file_strip(file)
    assert file_entry(None, None) == file_strip(None) == ""


def test_d10_an_empty_conversation_and_a_reply_have_suggestions() -> None:
    assert re.findall(r'data-say="([^"]+)"', suggestions(None)) == list(STARTERS)
    assert re.findall(r'data-say="([^"]+)"', suggestions(chat("a", "b"))) == list(FOLLOW_UPS)
    assert suggestions(chat("a")) == ""


def test_d10_what_a_server_counted_and_who_replied_is_said() -> None:
    def page(counted_by: CountedBy) -> str:
        context = Context(
            seen=(), recalled=(), dropped=(), tokens=1234, token_budget=0, counted_by=counted_by
        )
        return context_page(chat("a", "b", context=context), context, "tiny at http://x/v1")

    assert "1,234 tokens read, by the server&#x27;s count. The server decides" in page("server")
    assert "About 1,234 tokens sent, by an estimate: the server reported no count." in page("estimate")
