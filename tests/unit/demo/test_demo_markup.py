"""What is written is shown as it was typed, and comes back from the page's editor as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.markup import shown, typed

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
        ("", ""),
    ],
)
def test_only_code_keeps_its_tags(text: str, page: str) -> None:
    assert shown(text) == page
    assert typed(page) == text


@given(st.text(alphabet="<>!&[]()`~ab;#\n \u202e", max_size=60))
def test_nothing_is_lost_and_nothing_else_is_added(text: str) -> None:
    assert shown(text).replace(J, "") == text
    assert typed(shown(text)) == text
