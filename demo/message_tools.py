"""What the page adds to each message: its versions, the name of its model, and its text as it was written.

The server sends facts; JavaScript puts them next to the messages that Gradio draws.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape

from demo.markup import bubble
from nlpkit.chat.messages import Chat, ChatMessage


def message_facts(chat: Chat | None) -> str:
    """Return the facts of a conversation's messages as HTML that is not visible."""
    messages = chat.messages if chat else ()
    return facts_page(
        [_facts(message, is_named=has_several_models(messages)) for message in messages],
        ((message.role, message.text) for message in messages),
    )


def facts_page(facts: Iterable[dict[str, object]], texts: Iterable[tuple[str, str]]) -> str:
    """Return facts of messages, and which text each was before it was made safe to show."""
    written = {bubble(role, text)["content"]: text for role, text in texts}
    originals = {content: text for content, text in written.items() if content != text}
    stored = json.dumps({"messages": list(facts), "originals": originals}, ensure_ascii=False)
    return f'<div hidden data-facts="{escape(stored)}"></div>'


def has_several_models(messages: Iterable[ChatMessage]) -> bool:
    """Return whether replies are from more than one chat model, so that each needs its name."""
    return len({message.chat_model for message in messages if message.role == "assistant"}) > 1


def _facts(message: ChatMessage, *, is_named: bool) -> dict[str, object]:
    name = message.chat_model if is_named and message.role == "assistant" else ""
    return {
        "id": message.id,
        "role": message.role,
        "name": name,
        "version": message.version,
        "versions": message.versions,
    }


TOOLS = r"""{
let facts = {messages: [], originals: {}}, waiting = false;
const make = (tag, className, textContent) =>
  Object.assign(document.createElement(tag), {className, textContent});
const original = text => Object.hasOwn(facts.originals, text) ? facts.originals[text] : text;
// Keep a node in a message as long as its key is the same; its focus moves on to the one that replaces it
const put = (at, name, key, node) => {
  const old = at?.querySelector(`:scope > .${name}`);
  if (!at || (old?.dataset.key ?? '') === key) return;
  const index = old ? [...old.children].indexOf(document.activeElement) : -1;
  old?.remove();
  if (!key) return;
  const added = node();
  added.dataset.key = key;
  name === 'by' ? at.prepend(added) : at.append(added);
  if (index < 0) return;
  (added.children[index]?.disabled ? added.children[2 - index] : added.children[index])?.focus();
};
const versions = fact => {
  const group = make('span', 'versions', '');
  group.setAttribute('role', 'group');
  group.setAttribute('aria-label', `Version ${fact.version} of ${fact.versions}`);
  const turn = (step, sign, label) => {
    const button = make('button', '', sign), to = fact.version + step;
    button.type = 'button';
    button.setAttribute('aria-label', label);
    button.disabled = to < 1 || to > fact.versions;
    button.onclick = () => trigger('click', {message: fact.id, step});
    return button;
  };
  group.append(turn(-1, '‹', 'Previous version'), make('span', '', `${fact.version}/${fact.versions}`),
    turn(1, '›', 'Next version'));
  return group;
};
const choose = fact => {
  const group = make('span', 'versions', ''), button = make('button', 'choose', 'Choose this reply');
  button.type = 'button';
  button.setAttribute('aria-label', `Choose the reply of ${fact.name}`);
  button.onclick = () => document.getElementById(`pick-${fact.choice}`).click();
  group.append(button);
  return group;
};
// Gradio reads the safe text aloud, and puts it into the box of an edit
const restore = row => {
  const text = row.querySelector('[aria-label*="\'s message: "]');
  const label = text?.getAttribute('aria-label') ?? '';
  const start = label.indexOf(': ') + 2, plain = original(label.slice(start));
  if (plain !== label.slice(start)) text.setAttribute('aria-label', label.slice(0, start) + plain);
  const box = row.querySelector('textarea');
  if (!box || box.dataset.restored) return;
  box.dataset.restored = true;
  box.value = original(box.value);
  box.dispatchEvent(new Event('input', {bubbles: true}));
};
const sync = () => {
  waiting = false;
  document.querySelectorAll('#chatbot .message-row').forEach((row, at) => {
    restore(row);
    const role = row.classList.contains('user-row') ? 'user' : 'assistant';
    const fact = facts.messages[at]?.role === role ? facts.messages[at] : {name: '', versions: 1};
    // What may be wider than its message is scrolled by keys too
    row.querySelectorAll('pre, .katex-display').forEach(wide => { wide.tabIndex = 0; });
    put(row.querySelector('.flex-wrap'), 'by', fact.name, () => make('div', 'by', fact.name));
    fact.choice ? row.dataset.choice = fact.choice : delete row.dataset.choice;
    const leaf = fact.versions > 1 ? `${fact.id} ${fact.version} ${fact.versions}` : '';
    const panel = row.nextElementSibling;
    if (!panel?.classList.contains('message-buttons')) return;
    put(panel, 'versions', fact.isOver ? fact.choice : leaf, () => (fact.choice ? choose : versions)(fact));
  });
};
const soon = () => { if (!waiting) { waiting = true; requestAnimationFrame(sync); } };
const read = () => {
  const sent = element.querySelector('[data-facts]');
  facts = sent ? JSON.parse(sent.dataset.facts) : {messages: [], originals: {}};
  soon();
};
new MutationObserver(read).observe(element, {childList: true, subtree: true, attributes: true});
const attach = () => {
  const chatbot = document.getElementById('chatbot');
  if (chatbot) new MutationObserver(soon).observe(chatbot, {childList: true, subtree: true});
  else setTimeout(attach, 100);
};
attach();
read();
// What is copied is what was written
const board = navigator.clipboard, write = board?.writeText.bind(board);
const unjoined = text => text.replace(/([<!&$\\%`~])\u2060/g, '$1');
if (board) board.writeText = text => write(original(text) === text ? unjoined(text) : original(text));
document.addEventListener('copy', event => {
  const text = String(getSelection());
  if (!event.target.closest?.('#chatbot') || event.target.matches('textarea')) return;
  if (unjoined(text) === text) return;
  event.clipboardData.setData('text/plain', unjoined(text));
  event.preventDefault();
});
}"""
"""JavaScript of the component that holds the facts."""
