"""A reply is Markdown with formulas and no HTML; what a person wrote is shown as it was typed."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.markup import as_typed, shown

J = "\u2060"


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("plain *text*", "plain *text*"),
        ("<b>x</b>", f"<{J}b>x<{J}/b>"),
        ("![x](http://a/b.png)", f"!{J}[x](http://a/b.png)"),
        ("wow! [1]", "wow! [1]"),
        ("&lt;b&gt; & co", f"&{J}lt;b&{J}gt; & co"),
        ("`<b>`", "`<b>`"),
        ("``a ` <b>`` <i>", f"``a ` <b>`` <{J}i>"),
        ("```\n<b>\n```\n<i>", f"```\n<b>\n```\n<{J}i>"),
        # a fence that is still coming is code to its end
        ("```html\n<b>", "```html\n<b>"),
        ("a ` b <i>", f"a ` b <{J}i>"),
        # a diagram of Mermaid would be drawn, not shown
        ("```mermaid\ngraph\n```", f"```{J}mermaid\ngraph\n```"),
        ("", ""),
    ],
)
def test_only_code_keeps_its_tags(text: str, page: str) -> None:
    assert shown(text) == page


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("so $x_1$.", "so \\(x_1\\)."),
        ("$$x$$ and \\[y\\] and \\(z\\)", "$$x$$ and $$y$$ and \\(z\\)"),
        ("$$a<b$$", "$$a&lt;b$$"),
        ("\\[a\nb\\]", "$$a\nb$$"),
        # prices, and what has no end, are no formulas
        ("$5 and $6", "$5 and $6"),
        ("US$5 or $6/$7", "US$5 or $6/$7"),
        ("$$x", f"${J}$x"),
        ("\\(x", f"\\{J}(x"),
        # code holds none, and no mark of Gradio's becomes one
        ("`$$x$$`", f"`${J}$x${J}$`"),
        ("```\n\\(x\\)\n```", f"```\n\\{J}(x\\)\n```"),
        ("%%%LATEX_BLOCK_0%%%", f"%{J}%%LATEX_BLOCK_0%%%"),
        # longer than a formula may be
        (f"$${'x' * 2001}$$", f"${J}${'x' * 2001}${J}$"),
    ],
)
def test_d10_formulas_are_delimited_for_the_page(text: str, page: str) -> None:
    assert shown(text) == page


@given(st.text(alphabet="<>!&[]()`~ab;#%\\\n \u202e", max_size=60))
def test_nothing_is_lost_and_nothing_else_is_added(text: str) -> None:
    replaced = re.sub(r"\\\[(.+?)\\\]|\\\((.+?)\\\)", "", text, flags=re.DOTALL)
    if replaced == text:  # without a formula
        assert shown(text).replace(J, "") == text


@given(st.text(max_size=60))
def test_what_a_person_wrote_holds_no_markup_and_reads_the_same(text: str) -> None:
    page = as_typed(text)
    assert not re.search(r"[<>*_`\[\]\\|~\n]|&(?!#\d+;)|#(?!\d+;)", page)
    if not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", text):  # never stored
        assert html.unescape(page) == text
