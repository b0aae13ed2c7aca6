"""The page's keys: Escape, Enter and Ctrl+Enter, and a first link that leads to the message box."""

from __future__ import annotations

KEYS = """
const press = selector => { const button = document.querySelector(selector);
  if (button && !button.disabled && button.offsetParent) { button.click(); return true; } };
const toBox = () => document.querySelector('#box textarea')?.focus();
const keys = {
  // A dialog or a list that is open takes Escape itself
  Escape: event => !event.target.closest?.('#chats input, [aria-expanded="true"]') && press('#stop'),
  Enter: event => event.ctrlKey || event.metaKey
    ? event.target.closest('#score-text') && press('#score-button')
    : !event.shiftKey && event.target.matches('#chatbot textarea')
      && press('#chatbot button[aria-label="Submit"]'),
};
document.addEventListener('keydown', event => {
  if (event.isComposing || !keys[event.key]?.(event)) return;
  event.preventDefault();
  event.stopPropagation();
}, true);
document.addEventListener('click', event => { if (event.target.closest('#stop')) toBox(); });
const skip = document.createElement('a');
skip.href = '#box';
skip.className = 'skip';
skip.textContent = 'Skip to the message box';
skip.addEventListener('click', event => {
  event.preventDefault();
  document.querySelector('[role="tab"][aria-controls]')?.click();
  setTimeout(toBox, 50);
});
document.body.prepend(skip);
let visit;
addEventListener('popstate', () => {
  clearTimeout(visit);  // where several steps are gone at once, only the last is opened
  visit = setTimeout(() => document.getElementById('visit')?.click(), 150);
});
"""
"""JavaScript that runs once, when the page opens."""
