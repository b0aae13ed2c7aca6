"""The labeling page as HTML: a text, a button for each label, and the script of the keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from nlpkit.data.codebook import LabelWords
from nlpkit.labeling.questions import Progress

KEYS = """
const shown = () => document.querySelector('#asked [data-state]');
let sent = '';  // the state that an answer was sent for: the next answer waits for the next state
const send = (act, label = '') => {
  const at = shown()?.dataset;
  if (!at || at.state === sent || (['label', 'skip'].includes(act) && !at.text)) return;
  sent = at.state;
  setTimeout(() => { if (sent === at.state) sent = ''; }, 5000);  // the server did not answer
  trigger('click', {act, label, text: at.text, rater: at.rater});
};
const press = button => send(button.dataset.act, button.dataset.label);
document.addEventListener('click', event => {
  const button = event.target.closest?.('[data-act]');
  if (button) press(button);
});
document.addEventListener('keydown', event => {
  const {key, code} = event, on = element.querySelector('#label-keys');
  if (event.repeat || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!on?.checked) return;
  const digit = key.match(/^[1-9]$/)?.[0] || code.match(/^Digit([1-9])$/)?.[1];
  const act = {u: 'undo', backspace: 'undo', s: 'skip'}[key.toLowerCase()];
  const button = digit ? element.querySelectorAll('[data-label]')[digit - 1]
    : act && element.querySelector(`[data-act="${act}"]`);
  if (!button) return;
  event.preventDefault();
  press(button);
});
"""
"""JavaScript of the buttons; `element` holds them, and `trigger` calls the handler."""


def asked_page(progress: Progress, marks: Mapping[str, str]) -> str:
    """Return the text to label as it was typed, or what is left when there is none.

    `marks` are sent with the next answer.
    """
    data = " ".join(f'data-{name}="{escape(value, quote=True)}"' for name, value in marks.items())
    count = f"{progress.labeled:,} of {progress.total:,} labeled by {escape(marks['rater'])}"
    if progress.skipped:
        count += f", {progress.skipped:,} skipped"
    parts = [f'<p class="quiet">{count}</p>']
    if progress.key:
        parts.append(f'<p class="asked" dir="auto" tabindex="0">{escape(progress.text)}</p>')
    else:
        parts.append('<p class="done">Done. You can close this page.</p>')
        if progress.skipped:
            parts.append('<button type="button" data-act="again">Show the skipped texts again</button>')
    return f'<section aria-live="polite" aria-label="Text" {data}>{"".join(parts)}</section>'


def choices_page(labels: Sequence[LabelWords]) -> str:
    """Return a button for each label, in their order, then those that undo and skip."""
    rows = []
    for number, entry in enumerate(labels, 1):
        words = f'<b dir="auto">{escape(entry.label)}</b>'
        if entry.description:
            words += f' <span dir="auto">{escape(entry.description)}</span>'
        label = f'data-label="{escape(entry.label, quote=True)}"'
        rows.append(f"<li>{_button('label', words, str(number) if number <= 9 else '', label)}</li>")
    acts = f"{_button('undo', 'Undo', 'U Backspace')} {_button('skip', 'Skip', 'S')}"
    return (
        f'<ul class="labels" aria-label="Labels">{"".join(rows)}</ul><p class="acts">{acts} '
        '<label><input type="checkbox" id="label-keys" checked> Use keys</label></p>'
    )


def _button(act: str, words: str, keys: str, more: str = "") -> str:
    key = f'<kbd aria-hidden="true">{keys.split()[0]}</kbd> ' if keys else ""
    shortcuts = f' aria-keyshortcuts="{keys}"' if keys else ""
    return f'<button type="button" data-act="{act}"{shortcuts} {more}>{key}{words}</button>'
