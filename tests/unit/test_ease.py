"""The documents are easy to read: short sentences, as `python -m tests.ease` measures them."""

from __future__ import annotations

import pytest

from tests import ease

PAGES = [ease.ROOT / "README.md", *sorted((ease.ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_few_sentences_of_a_page_are_long(page: ease.Path) -> None:
    lengths = [ease.words(sentence) for sentence in ease.sentences(page.read_text(encoding="utf-8"))]
    assert max(lengths) < 40
    assert sum(length > ease.LONG for length in lengths) <= max(2, 0.08 * len(lengths))


def test_what_is_a_sentence_and_how_many_words_it_has() -> None:
    page = """# A title that does not count

One two three. Four `five six` seven eight; nine ten [eleven twelve](a.md). Et

| a table | does not count |
|---|---|

- an item of five words
  on two lines

```sh
nor does code
```
"""
    counts = [(ease.words(sentence), sentence) for sentence in ease.sentences(page)]
    assert [count for count, _ in counts] == [3, 4, 4, 8]
    assert counts[1][1] == "Four `five six` seven eight;"
