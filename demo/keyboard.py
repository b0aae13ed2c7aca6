"""The page's keys: Escape, Enter and Ctrl+Enter, a first link to the message box, and their list."""

from __future__ import annotations

KEYS = """
const press = selector => { const button = document.querySelector(selector);
  if (button && !button.disabled && button.offsetParent) { button.click(); return true; } };
const toBox = () => document.querySelector('#box textarea')?.focus();
const clear = field => {
  if (!field.value) return;
  field.value = '';
  return field.dispatchEvent(new Event('input', {bubbles: true}));
};
const inside = (at, selector) => at.closest?.(selector);
const keys = {
  // A dialog, an open list and a title that is typed take Escape themselves
  Escape: ({target}) => !inside(target, 'dialog, #chats input, [role="combobox"][aria-expanded="true"]') && (
    inside(target, '#chatbot') && press('#chatbot button[aria-label="Cancel"]')
    || inside(target, '#this-chat') && press('#keep')
    || inside(target, '#search') && clear(target)
    || closeCover() || press('#stop')),
  Enter: event => event.ctrlKey || event.metaKey
    ? inside(event.target, '#score-text') && press('#score-button')
    : !event.shiftKey && event.target.matches('#chatbot textarea')
      && press('#chatbot button[aria-label="Submit"]'),
};
// At these keys Gradio would open a list of choices again, a moment later, over what comes next
['Tab', 'Shift'].forEach(key => {
  keys[key] = event => { if (inside(event.target, '[role="combobox"]')) event.stopPropagation(); };
});
document.addEventListener('keydown', event => {
  if (!event.isTrusted || event.isComposing || !keys[event.key]?.(event)) return;
  event.preventDefault();
  event.stopPropagation();
}, true);
document.addEventListener('click', event => {
  if (event.target.closest('#stop')) toBox();
  // An edit that is cancelled leaves the focus to its button
  const buttons = event.target.closest('#chatbot button[aria-label="Cancel"]')?.closest('.message-buttons');
  if (buttons) setTimeout(() => buttons.querySelector('[aria-label="Edit"]')?.focus(), 50);
});
const skip = document.createElement('a');
skip.href = '#box';
skip.className = 'skip';
skip.textContent = 'Skip to the message box';
skip.addEventListener('click', event => {
  event.preventDefault();
  closeCover();
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

SHORTCUTS = (
    (("Enter",), "Send; choose in a list; open a conversation"),
    (("Shift+Enter",), "Begin a new line"),
    (("Esc",), "Stop the reply; leave an edit, a question, a search, or what covers the page"),
    (("Ctrl+Enter",), "Score the text"),
    (("↓", "↑", "Home", "End"), "Move in the list of conversations, or in a list of choices"),
    (("→", "←"), "Move to the buttons of a conversation, and back"),
    (("F2",), "Rename the conversation"),
    (("Tab", "Shift+Tab"), "Move to the next part of the page, and back"),
)
"""Keys, and what they do."""
ROWS = "".join(
    f'<tr><th scope="row">{" ".join(f"<kbd>{key}</kbd>" for key in keys)}</th><td>{effect}</td></tr>'
    for keys, effect in SHORTCUTS
)
HELP = f"""
const help = document.createElement('dialog');
help.id = 'key-list';
help.setAttribute('aria-labelledby', 'key-list-title');
help.innerHTML = `<h2 id="key-list-title">Keys</h2><table>{ROWS}</table><button type="button">Close</button>`;
help.querySelector('button').addEventListener('click', () => help.close());
document.querySelector('.gradio-container').append(help);
"""
"""JavaScript that makes the list of keys."""
SHOW_HELP = "() => document.getElementById('key-list').showModal()"
