"""The focus: it is never lost, and never on what is covered."""

from __future__ import annotations

FOCUS = """
// Where the focus goes when what had it is hidden, disabled or gone: the first that can take it
const HOMES = [
  ['#connect', '#connect-address :is(input, textarea)'], ['#tab-score', '#score-file'],
  ['#upload', '#upload button'], ['body', '#box textarea'], ['body', '[role="tab"][aria-selected="true"]'],
];
let held = null, homes = [], last = '', patience = 0;
const canTake = at => at?.isConnected && !at.disabled && !at.closest('[inert]')
  && at.checkVisibility({visibilityProperty: true});
document.addEventListener('keydown', event => { if (event.isTrusted) last = event.key; }, true);
document.addEventListener('pointerdown', event => { last = event.pointerType; }, true);
document.addEventListener('focusin', event => {
  if (last === 'Tab') {
    last = '';  // else it left the page
    event.target.scrollIntoView({block: 'nearest', inline: 'nearest'});
  }
  held = event.target;
  patience = 20;  // how often only the first is tried, which may be on its way
  homes = HOMES.filter(([within]) => held.closest(within)).map(([, home]) => home);
}, true);
setInterval(() => {
  // A field that gets the focus after a touch would open the keyboard of the screen
  if (!held || document.activeElement !== document.body || ['Tab', 'touch'].includes(last)) return;
  if (!canTake(held)) {
    const near = patience-- > 0 ? homes.slice(0, 1) : homes;
    return near.map(home => document.querySelector(home)).find(canTake)?.focus();
  }
  if (['mouse', 'pen'].includes(last)) return;
  // Gradio takes the focus from a list when a key chooses, and opens it again with the focus
  held.focus();
  const close = new KeyboardEvent('keydown', {key: 'Escape', bubbles: true});
  if (held.role === 'combobox') held.dispatchEvent(close);
}, 100);
"""
"""JavaScript that keeps the focus on the page."""
