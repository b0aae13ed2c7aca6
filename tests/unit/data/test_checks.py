from __future__ import annotations

import io
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import pytest
from rich.console import Console

from nlpkit.data import text_checks
from nlpkit.data.check_findings import Finding, Severity, shown
from nlpkit.data.check_report import CheckReport
from nlpkit.data.checks import check
from nlpkit.data.examples import LabeledText
from nlpkit.data.near import near_groups
from nlpkit.data.personal import luhn, scan, scanner
from nlpkit.data.text_language import script
from nlpkit.errors import ConfigError, DataError

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]


@pytest.fixture(autouse=True)
def _no_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """Language is looked at where a test says so, whether or not the extra is installed."""
    monkeypatch.setattr(text_checks, "detector", lambda: lambda text: None)


def plain(count: int = 30, first: int = 0) -> list[LabeledText]:
    """Distinct texts of five words, two labels, nothing to find."""
    numbers = range(first, first + count)
    texts = [
        " ".join(f"{word}{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10]}" for word in WORDS[:5])
        for n in numbers
    ]
    return [
        LabeledText(text=text, label="good" if n % 2 else "bad", where=f"a.csv, row {n + 1}")
        for n, text in zip(numbers, texts, strict=True)
    ]


def row(text: str, label: str | None = "good", value: float | None = None, where: str = "") -> LabeledText:
    return LabeledText(text=text, label=label, value=value, where=where)


def report(train: Sequence[LabeledText], **others: Sequence[LabeledText]) -> CheckReport:
    return check({"train": train, **others}, tokens=None, window=None)


def one(found: CheckReport, kind: str) -> Finding:
    matching = [finding for finding in found.findings if finding.kind == kind]
    assert len(matching) == 1, found.findings
    return matching[0]


def test_clean_data_has_counts_and_no_findings() -> None:
    found = report(plain(30), test=plain(10, first=30))
    assert found.findings == ()
    assert found.worst is None
    train = found.parts["train"]
    assert (train.rows, train.labels, train.values) == (30, {"bad": 15, "good": 15}, None)
    assert found.parts["test"].rows == 10
    assert found.unit == "words"


def test_lengths_by_hand() -> None:
    examples = [row(" ".join(["w"] * count), label="ab"[count % 2]) for count in range(1, 102)]
    lengths = report(examples).parts["train"].lengths
    assert lengths is not None
    assert lengths.mean == 51
    assert lengths.percentiles == {"p5": 6, "p50": 51, "p95": 96, "p99": 100, "max": 101}
    assert lengths.over_window is None
    assert sum(lengths.histogram) == 101


def test_lengths_in_tokens_and_the_window() -> None:
    def tokens(texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    examples = [*plain(30), row("x" * 900)]
    found = check({"train": examples}, tokens=tokens, window=100)
    lengths = found.parts["train"].lengths
    assert lengths is not None
    assert found.unit == "tokens"
    assert lengths.over_window == 1 / 31
    assert lengths.percentiles["max"] == 900
    finding = one(found, "over window")
    assert (finding.rows, finding.severity) == (1, "info")
    assert "1 row (3.23%): longer than the 100 tokens" in finding.message
    assert one(check({"train": examples}, tokens=tokens, window=39), "over window").severity == "warning"


def test_one_long_text_does_not_flatten_the_histogram() -> None:
    examples = [row(" ".join(["w"] * (1 + n % 20)), label="ab"[n % 2]) for n in range(199)] + [
        row("w " * 5000)
    ]
    found = report(examples)
    lengths = found.parts["train"].lengths
    assert lengths is not None
    assert found.edges == tuple(range(22))
    assert lengths.histogram[:2] == (0, 10)
    assert lengths.histogram[-1] == 10  # nine texts of 20 words, and the long one


def test_empty_texts_and_parts() -> None:
    found = report([*plain(), row(""), row(" \n\t"), row("\u200b\u00a0\x00", where="b.csv, row 3")], test=[])
    finding = one(found, "empty text")
    assert (finding.rows, finding.severity, finding.part) == (3, "warning", "train")
    assert finding.examples[2].where == "b.csv, row 3"
    assert one(found, "no rows").severity == "error"
    assert found.worst == "error"
    assert not [
        kind for kind in found.findings if kind.kind in ("duplicate", "near-duplicate", "contradiction")
    ]


def test_duplicates_ignore_case_and_spaces() -> None:
    found = report(
        [*plain(), row("The  SAME text", "good"), row("the same text", "good"), row("the same text", "good")]
    )
    finding = one(found, "duplicate")
    assert (finding.rows, finding.severity) == (2, "warning")
    assert finding.message == "2 rows (6.06%): the text of an earlier row again"


def test_near_duplicates_are_told_from_duplicates() -> None:
    base = " ".join(WORDS)
    found = report([*plain(), row(base), row(base + "!"), row(base + " lambda"), row(base)])
    assert one(found, "duplicate").rows == 1
    near = one(found, "near-duplicate")
    assert near.rows == 2
    assert [example.text for example in near.examples] == [base + "!", base + " lambda"]


def test_equal_texts_with_different_labels() -> None:
    found = report(
        [
            *plain(),
            row("So so.", "good", where="x.csv, row 1"),
            row("so so.", "bad", where="x.csv, row 9"),
            row("fine", "good"),
        ]
    )
    finding = one(found, "contradiction")
    assert (finding.rows, finding.severity) == (2, "warning")
    assert [(example.where, example.note) for example in finding.examples] == [
        ("x.csv, row 1", "good"),
        ("x.csv, row 9", "bad"),
    ]


@pytest.mark.parametrize(("other", "rows"), [(1.9, 0), (3.0, 2)])
def test_equal_texts_with_values_far_apart(other: float, rows: int) -> None:
    examples = [
        row(f"{one.text}", None, float(place % 5)) for place, one in enumerate(plain())
    ]  # from 0 to 4: a quarter is 1
    found = report([*examples, row("so so", None, 1.0), row("so so", None, other)])
    assert sum(finding.rows for finding in found.findings if finding.kind == "contradiction") == rows
    assert found.parts["train"].values is not None
    assert found.parts["train"].values["max"] == 4


def test_overlap_between_parts() -> None:
    train, base = plain(), " ".join(WORDS)
    test = [row(train[3].text.upper(), "good"), row(base + " lambda", "bad"), *plain(8, first=30)]
    found = report([*train, row(base, "bad", where="a.csv, row 99")], test=test)
    exact, near = one(found, "overlap"), one(found, "near overlap")
    assert (exact.severity, exact.part, exact.rows) == ("error", "train, test", 1)
    assert exact.message == "1 row of test (10.00%): equal to texts of train"
    assert [(example.note, example.text) for example in exact.examples] == [
        ("train", train[3].text),
        ("test", train[3].text.upper()),
    ]
    assert (near.severity, near.rows) == ("warning", 1)
    assert [example.where for example in near.examples] == ["a.csv, row 99", ""]


def test_labels() -> None:
    found = report(
        [*plain(300 // 10 * 3), row("something odd", "fair")],
        test=[row("quite else", "godo"), row("unlike it", "good")],
    )
    assert one(found, "rare label").message == "rare labels: 'fair' (1 row)"
    unseen = one(found, "unseen label")
    assert (unseen.part, unseen.severity, unseen.message) == (
        "test",
        "error",
        "labels that never occur in train: 'godo'",
    )
    alone = one(report([row(example.text, "good") for example in plain()]), "one label")
    assert alone.message == "every row says 'good': there is nothing to tell apart"
    values = one(report([row(example.text, None, 2.5) for example in plain()]), "one label")
    assert values.message == "every row says 2.5: there is nothing to tell apart"


def test_script() -> None:
    found = report([*plain(), row("это хороший фильм", "good"), row("12345 :)", "good")])
    finding = one(found, "script")
    assert (finding.rows, finding.examples[0].note) == (1, "CYRILLIC")
    assert "another script than most (LATIN)" in finding.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "LATIN"),
        ("été", "LATIN"),
        ("ｗｉｄｅ", "LATIN"),
        ("映画はとても良かった", "CJK"),
        ("영화가 좋았다", "HANGUL"),
        ("ok это хорошо", "CYRILLIC"),
        ("123 😀", None),
        ("", None),
    ],
)
def test_script_of(text: str, expected: str | None) -> None:
    assert script(text) == expected


def test_language(monkeypatch: pytest.MonkeyPatch) -> None:
    def detect(text: str) -> str | None:
        return "de" if "film war" in text else "en" if "a" in text else None

    monkeypatch.setattr(text_checks, "detector", lambda: detect)
    finding = one(report([*plain(), row("der film war gut"), row("")]), "language")
    assert (finding.rows, finding.examples[0].note) == (1, "de")
    monkeypatch.setattr(text_checks, "detector", lambda: None)
    finding = one(report(plain()), "language")
    assert finding.severity == "info"
    assert "pip install 'nlpkit[language]'" in finding.hint


def test_broken_encoding_is_shown_where_it_breaks() -> None:
    found = report(
        [*plain(), row("x" * 300 + " the cafÃ© was good"), row("lost \ufffd letter"), row("a fine café")]
    )
    finding = one(found, "broken encoding")
    assert finding.rows == 2
    assert finding.examples[0].text.startswith("...xxx")
    assert "cafÃ©" in finding.examples[0].text


@pytest.mark.parametrize(
    ("text", "masked", "kinds"),
    [
        ("write to jane.doe+x@mail.example.co.uk.", "write to [e-mail].", {"e-mail": 1}),
        ("@jane and a@b are no addresses", None, {}),
        (
            "card 4111 1111 1111 1111, 378282246310005",
            "card [card number], [card number]",
            {"card number": 2},
        ),
        ("4111 1111 1111 1112 fails the check digit", None, {}),
        ("call +1 (212) 555-0187 or 212-555-0187", "call [phone] or [phone]", {"phone": 2}),
        ("(212) 555-0187, 020 7946 0958, +49 30 901820", "[phone], [phone], [phone]", {"phone": 3}),
        (
            "from 192.168.0.12 and 2001:db8::ff00:42:8329",
            "from [IP address] and [IP address]",
            {"IP address": 2},
        ),
        ("at 10:20:30, std::vector, 999.1.1.1, version 1.2.3", None, {}),
        ("token hf_" + "aB3" * 10, "token [access token]", {"access token": 1}),
        ("from 2015-2016, 1,234,567.89, on 10/12/2014, 2012-11-10, 3.14159, 10,000,000", None, {}),
    ],
)
def test_personal_data(text: str, masked: str | None, kinds: dict[str, int]) -> None:
    assert scan(text) == (text if masked is None else masked, kinds)


@pytest.mark.parametrize(
    ("digits", "valid"), [("79927398713", True), ("79927398710", False), ("4111-1111 1111 1111", True)]
)
def test_luhn(digits: str, valid: bool) -> None:
    assert luhn(digits) is valid


def test_personal_data_is_masked_in_every_excerpt() -> None:
    address = "jane@example.com"
    found = report(
        [
            *plain(),
            row(f"mail {address}", "good"),
            row(f"mail {address}", "bad"),
            row(f"{'x ' * 400}{address} is here"),
        ]
    )
    finding = one(found, "personal data: e-mail")
    assert finding.rows == 3
    assert "[e-mail] is here" in finding.examples[2].text
    assert one(found, "contradiction").examples[0].text == "mail [e-mail]"
    for written in (found.to_json(), found.to_markdown(), found.to_html()):
        assert "jane" not in written


def test_presidio_says_which_extra_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(ConfigError, match=r"pip install 'nlpkit\[pii\]'"):
        scanner("presidio")


def test_presidio_finds_more_kinds() -> None:
    pytest.importorskip("presidio_analyzer")
    masked, found = scanner("presidio")("IBAN DE89370400440532013000 of jane@example.com")
    assert masked == "IBAN [iban code] of [e-mail]"
    assert found == {"iban code": 1, "e-mail": 1}


def test_real_language_detector() -> None:
    pytest.importorskip("py3langid")
    from nlpkit.data.text_language import detector

    detect = detector()
    assert detect is not None
    assert detect("Der Film war sehr gut und ich mochte ihn") == "de"
    assert detect("This film was really very good and I liked it a lot") == "en"
    assert detect("lol") is None


HOSTILE = "<script>alert(1)</script> \x1b[31mred\x1b[0m \u202egnp.exe | `code` {{ 7*7 }} & $x$"


def hostile() -> CheckReport:
    """One text, two labels: the text, the labels and the place all appear in the report."""
    return report(
        [
            *plain(),
            row(HOSTILE, "<b>$\\frac$", where="<i>.csv, row 1"),
            row(HOSTILE, "好 \x1b]0;x\x07", where="\x1b[2J"),
        ]
    )


def test_shown_strips_what_drives_a_terminal() -> None:
    assert (
        shown(HOSTILE) == "<script>alert(1)</script> \ufffd[31mred\ufffd[0m gnp.exe | `code` {{ 7*7 }} & $x$"
    )
    assert shown("one\r\ntwo\u2028three\ud800") == "one two three\ufffd"
    assert shown("a" * 200) == "a" * 157 + "..."
    assert shown("\u200b" * 10_000 + "a") == "..."


def test_page_escapes_and_holds_no_script() -> None:
    page = hostile().to_html()
    assert "<script" not in page.lower()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert "{{ 7*7 }}" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "http" not in page.replace("http://www.w3.org/", "").replace("http://purl.org/", "").replace(
        "http://creativecommons.org/", ""
    ).replace("https://matplotlib.org/", "").replace("http-equiv", "")


def test_plots_are_svg_with_literal_labels() -> None:
    found = hostile().plots()
    assert list(found) == ["Label balance", "Text lengths"]
    for svg in found.values():
        root = ET.fromstring(svg)  # noqa: S314
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not root.findall(".//{http://www.w3.org/2000/svg}script")
    texts = "".join(ET.fromstring(found["Label balance"]).itertext())  # noqa: S314
    assert "<b>$\\frac$" in texts
    assert "好" in texts
    assert hostile().plots() == found


def test_plots_without_labels_or_rows() -> None:
    assert list(
        report([row(example.text, None, float(place)) for place, example in enumerate(plain())]).plots()
    ) == ["Text lengths"]
    assert report([]).plots() == {}
    assert "Nothing to report" not in report([]).to_html()


def test_d9_findings_stand_before_plots_and_the_page_has_a_dark_theme() -> None:
    page = hostile().to_html()
    places = ['class="contents"', "<h2>Rows</h2>", "<h2>Findings</h2>", "<h2>Plots</h2>"]
    assert sorted(places, key=page.index) == places
    assert "prefers-color-scheme:dark" in page
    named = hostile().model_copy(update={"files": ("<b>.csv",)}).to_html()
    assert named.count("&lt;b&gt;.csv") == 2  # in the title and below the heading


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        ((), "Ready for training: no errors, no warnings"),
        (("info",), "Ready for training: no errors, no warnings"),
        (("warning", "info"), "Can be trained on; 1 warning to look at first"),
        (("error", "warning", "warning"), "Not ready for training: 1 error, 2 warnings"),
    ],
)
def test_d9_the_page_begins_with_the_file_and_a_verdict(
    severities: tuple[Severity, ...], expected: str
) -> None:
    found = tuple(
        Finding(kind="k", severity=name, part="data", message="<m>", hint="h", rows=1) for name in severities
    )
    page = report(plain()).model_copy(update={"findings": found, "files": ("mine.csv",)}).to_html()
    assert page.index("<h1>mine.csv</h1>") < page.index("30 rows") < page.index(f">{expected}</p>")
    assert page.index(expected) < page.index("<h2>Rows</h2>")
    assert page.count('href="#finding-1"') == page.count('id="finding-1"') == (1 if severities else 0)


def test_terminal_and_markdown() -> None:
    found = hostile()
    written = io.StringIO()
    Console(file=written, width=200, force_terminal=True, color_system=None).print(found.to_terminal())
    assert "warning train: 2 rows (6.25%): a text that another row labels differently." in written.getvalue()
    assert "\x1b[31m" not in written.getvalue()
    assert "\x1b[2J" not in written.getvalue()
    markdown = found.to_markdown()
    assert "| train | 32 |" in markdown
    assert "&lt;script&gt;" in markdown
    assert "<script" not in markdown
    written = io.StringIO()
    Console(file=written, width=120).print(report(plain()).to_terminal())
    assert "Nothing to report." in written.getvalue()
    assert report(plain()).to_markdown().endswith("Nothing to report.\n")


def test_json_comes_back() -> None:
    found = hostile()
    assert CheckReport.model_validate_json(found.to_json()) == found
    assert json.loads(found.to_json())["parts"]["train"]["rows"] == 32


def test_gravest_first_and_nothing_to_check() -> None:
    found = report([*plain(), row("so so", "good"), row("so so", "bad")], test=[])
    assert [finding.severity for finding in found.findings] == sorted(
        (f.severity for f in found.findings), key=["error", "warning", "info"].index
    )
    with pytest.raises(DataError, match="no parts were given"):
        check({}, tokens=None, window=None)


def test_near_duplicates_agree_with_the_split() -> None:
    base = " ".join(WORDS)
    assert near_groups([base, base + " lambda"], threshold=0.8, seed=0) == [0, 0]
    assert not check(
        {"train": [row(base), row(base + " lambda", "bad")]}, tokens=None, window=None, near_duplicates=1.0
    ).findings[1:]


def test_import_stays_light() -> None:
    heavy = "{'numpy', 'matplotlib', 'jinja2', 'scipy', 'ftfy', 'datasketch', 'rich'}"
    code = f"import sys, nlpkit.data.checks, nlpkit.data.splits; print(sorted({heavy} & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
