"""A page that is used with keys alone; every stop of the focus must be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import TimeoutError as TooLate

from tests.browser.conftest import Visit

UNSEEN = """() => {
  const at = document.activeElement, ring = at.role === 'combobox' ? at.closest('.wrap') : at;
  if (at === document.body) return 'nothing has the focus';
  const {x, y, width, height} = at.getBoundingClientRect(), style = getComputedStyle(ring);
  const top = document.elementFromPoint(x + width / 2, y + height / 2);
  if (!top) return 'it is outside of the window';
  if (!at.contains(top) && !top.contains(at)) return `it is covered by ${top.tagName} ${top.className}`;
  if (style.outlineStyle !== 'solid' || parseFloat(style.outlineWidth) < 2) return 'it has no outline';
  return '';
}"""
"""Why a person does not see what has the focus; "" where it is seen."""
NAME = """() => { const at = document.activeElement, label = at.getAttribute('aria-label');
return `${at.tagName} #${at.closest('[id]')?.id} ${(label || at.innerText || '').slice(0, 60)}`; }"""


class Keys:
    """The keyboard of a page."""

    def __init__(self, visit: Visit) -> None:
        self.page = visit.page
        self._choosers: list[Any] = []
        self.page.on("filechooser", lambda chooser: self._choosers.append(chooser))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str, then: str = "") -> None:
        """Type a text in place of what is in the field."""
        self.press("Control+a")
        self.page.keyboard.type(text)
        if then:
            self.press(then)

    def to(self, selector: str, key: str = "Tab", most: int = 60) -> None:
        """Press a key until an element has the focus."""
        self.seen()
        stops: list[str] = []
        while not self.page.evaluate("at => document.activeElement.matches(at)", selector):
            assert len(stops) < most, f"{key} does not lead to {selector}, but to {stops}"
            self.press(key)
            self.seen()
            stops.append(self.page.evaluate(NAME))

    def back(self, selector: str) -> None:
        self.to(selector, "Shift+Tab")

    def at(self, selector: str) -> None:
        """Wait until an element has the focus, and is seen."""
        try:
            self.page.wait_for_function("at => document.activeElement.matches(at)", arg=selector)
        except TooLate:
            raise AssertionError(f"{selector} lacks the focus; {self.page.evaluate(NAME)} has it") from None
        self.seen()

    def seen(self) -> None:
        """Wait until what has the focus is seen: a fold may be opening, or a part moving into sight."""
        try:
            self.page.wait_for_function(f"() => !({UNSEEN})()", timeout=5000)
        except TooLate:
            raise AssertionError(f"{self.page.evaluate(NAME)}: {self.page.evaluate(UNSEEN)}") from None

    def unfold(self, fold: str) -> None:
        """Open a fold, and wait for its fields: Tab would pass over what is not there yet."""
        self.press("Enter")
        self.page.wait_for_function(
            "fold => [...document.querySelectorAll(`${fold} > div :is(button, input, textarea)`)]"
            ".some(field => field.checkVisibility())",
            arg=fold,
        )

    def give(self, file: Path) -> None:
        """Press Enter on a button that asks for a file, and give it this one."""
        self.press("Enter")
        for _ in range(100):
            if self._choosers:
                return self._choosers.pop().set_files(file)  # type: ignore[no-any-return]
            self.page.wait_for_timeout(100)
        raise AssertionError("no file was asked for")

    def choose(self, name: str) -> None:
        """Choose from the list of the field that has the focus."""
        active = "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))"
        for _ in range(20):
            if self.page.evaluate(f"{active}?.innerText.replace('✓', '').trim()") == name:
                break
            self.press("ArrowDown")
            self.page.wait_for_timeout(50)
        self.press("Enter")
        self.page.wait_for_function(
            "name => document.activeElement.value === name "
            "&& document.activeElement.getAttribute('aria-expanded') === 'false'",
            arg=name,
        )
        self.seen()
