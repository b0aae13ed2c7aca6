"""Every measured figure of these documents stands in a receipt in benchmarks/results."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import receipts

PAGES = [receipts.ROOT / "README.md", *sorted((receipts.ROOT / "docs").rglob("*.md"))]
CHECKED = [path.relative_to(receipts.ROOT).as_posix() for path in PAGES]


@pytest.mark.parametrize("document", CHECKED)
def test_every_figure_has_a_receipt(document: str) -> None:
    _, missing = receipts.check(receipts.ROOT / document)
    assert [str(figure) for figure in missing] == []


def test_the_documents_hold_figures() -> None:
    least = {"README.md": 10, "docs/benchmarks.md": 100, "docs/which.md": 30}
    counts = {document: receipts.check(receipts.ROOT / document)[0] for document in least}
    assert all(counts[document] >= least[document] for document in least)


def test_a_figure_that_no_receipt_holds_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    (results / "speed.md").write_text("| a | 1,234 | 88.5% |", encoding="utf-8")
    (results / "speed.json").write_text('{"ratio": 2.256, "share": 0.4571}', encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n[it](benchmarks/results/speed.md): 88.5%, 88.6%, 45.7%, 2.26 times, 2.27 times, `9.99`\n"
        "```text\n77.7%\n```\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(receipts, "RESULTS", results)
    receipts.shown.cache_clear()
    receipts.measured.cache_clear()
    count, missing = receipts.check(page)
    assert count == 5
    assert [figure.figure for figure in missing] == ["88.6%", "2.27"]


def test_a_section_has_its_own_receipts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "RESULTS", tmp_path)
    receipts.shown.cache_clear()
    receipts.measured.cache_clear()
    for name, figure in (("one", "1.5"), ("two", "2.5")):
        (tmp_path / f"{name}.md").write_text(figure, encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "# One\n[a](benchmarks/results/one.md) 1.5\n# Two\n[b](benchmarks/results/two.md) 1.5\n# Three\n2.5",
        encoding="utf-8",
    )
    assert [(figure.section, figure.figure) for figure in receipts.check(page)[1]] == [("Two", "1.5")]


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("81.4% of 4,276 texts", [("81.4", "%")]),
        ("3 seeds, 7.4 times slower, 12 times", [("7.4", ""), ("12", "")]),
        ("arXiv:2106.09685, version 0.2.0, `0.5`, 95% intervals", []),
        ("95%\nintervals, 95% confidence, 95% of them", [("95", "%")]),
        ("Python 3.11, MultiWOZ 2.0 to 2.4, accelerate 1.15 took 1.16 times", [("1.16", "")]),
    ],
)
def test_what_counts_as_a_figure(text: str, figures: list[tuple[str, str]]) -> None:
    assert receipts.figures(text) == figures
