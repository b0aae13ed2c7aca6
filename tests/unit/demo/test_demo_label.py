"""The labeling page: what it shows of hostile texts, and what it believes of a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.label_pages import asked_page, choices_page
from demo.label_view import LabelView
from nlpkit.data.codebook import LabelWords
from nlpkit.data.near import normalized
from nlpkit.files import fingerprint
from nlpkit.labeling.journal import journal_of
from nlpkit.labeling.questions import Progress, Questions

EVIL = "<img src=x onerror=alert(1)>\"'"


@pytest.fixture
def view(tmp_path: Path) -> LabelView:
    file = tmp_path / "next.csv"
    file.write_text(f"text,label\none,\n{EVIL!r},\n")
    return LabelView(
        Questions(
            file=file,
            labels=(LabelWords(label="no"), LabelWords(label=EVIL, description=EVIL)),
            texts={normalized(text): text for text in ("one", EVIL)},
            journal=journal_of(file, "anna"),
        )
    )


def test_texts_and_labels_are_shown_as_they_are() -> None:
    progress = Progress(key="one", text=EVIL, labeled=1, skipped=2, total=1000, agreement="")
    page = asked_page(progress, {"state": "1", "text": EVIL, "rater": "anna"})
    assert "1 of 1,000 labeled by anna, 2 skipped" in page
    page += choices_page([LabelWords(label=f"{EVIL}{number}", description=EVIL) for number in range(10)])
    assert "<img" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;&quot;") == 1 + 1 + 10 * 3
    assert page.count('data-act="label" aria-keyshortcuts=') == 9


def test_a_page_that_is_behind_or_lies_labels_nothing(view: LabelView) -> None:
    sent = {"act": "label", "label": EVIL, "text": fingerprint({"text": normalized(EVIL)}), "rater": "anna"}
    for change in ({"rater": "ben"}, {"rater": None}, {"text": "img"}, {"label": "other"}, {"act": "delete"}):
        with pytest.warns(UserWarning, match="hint: reload|expected one of"):
            view.press({**sent, **change})
    assert not view.questions.journal.path.exists()
    asked, _ = view.press(sent)
    assert "1 of 2 labeled" in asked
    assert view.questions.journal.answers() == {normalized(EVIL): EVIL}
