"""The list's keys and clicks: the arrows move, Enter opens, F2 renames in place, and the focus is kept."""

from __future__ import annotations

LIST_KEYS = """
const rows = () => [...element.querySelectorAll('.pick, .more')];
const rowOf = chat => element.querySelector(`li[data-chat="${chat}"] .pick`);
const chatOf = inside => inside?.closest('li')?.dataset.chat;
const focusOn = row => {
  if (!row) return;
  for (const other of rows()) other.tabIndex = -1;
  row.tabIndex = 0;
  row.focus();
  row.scrollIntoView({block: 'nearest'});
};
let last = '';  // the conversation whose row has or had the focus
let wanted = '';  // the conversation whose row takes the focus when the list has changed
let naming = null;  // the title that is being typed: {chat, text}

const rename = (item, text) => {
  const row = item.querySelector('.pick'), box = document.createElement('input'), chat = item.dataset.chat;
  const title = row.querySelector('.title').textContent;
  naming = {chat, text: text ?? title};
  Object.assign(box, {value: naming.text, maxLength: 200, className: 'naming', dir: 'auto'});
  box.setAttribute('aria-label', 'Title');
  const end = (save, back) => {
    if (!box.isConnected || naming?.chat !== chat) return;
    naming = null;
    box.remove();
    item.classList.remove('named');
    if (back) focusOn(row);
    const text = box.value.trim();
    if (!save || !text || text === title) return;
    row.querySelector('.title').textContent = text;
    trigger('edit', {chat, title: text});
  };
  box.addEventListener('input', () => { naming.text = box.value; });
  // A list that is drawn anew takes the box away too, and then it comes back
  box.addEventListener('blur', () => setTimeout(end, 0, true, false));
  box.addEventListener('keydown', event => {
    if (event.isComposing || !['Enter', 'Escape'].includes(event.key)) return;
    event.preventDefault();
    end(event.key === 'Enter', true);
  });
  item.classList.add('named');
  item.prepend(box);
  box.focus();
  if (text === undefined) box.select();
};

element.addEventListener('click', event => {
  const button = event.target.closest('button'), chat = chatOf(button);
  if (!button) return;
  if (button.matches('.pick')) trigger('click', {chat});
  if (button.dataset.do === 'rename') rename(button.closest('li'));
  if (button.dataset.do === 'pin') {
    wanted = chat;
    trigger('like', {chat, pinned: button.dataset.pinned !== '1'});
  }
  if (button.dataset.do === 'more') {
    last = chatOf(rows().at(-2));
    trigger('expand', {limit: Number(button.dataset.limit)});
  }
});
element.addEventListener('keydown', event => {
  const all = rows(), item = event.target.closest('li');
  if (event.target.matches('input') || event.ctrlKey || event.metaKey || event.altKey) return;
  const row = item ? item.querySelector('.pick') : event.target, at = all.indexOf(row);
  const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1}[event.key];
  const sides = item ? [...item.querySelectorAll('button')] : [];
  const side = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  if (to !== undefined) {
    if (to < 0) document.querySelector('#search textarea, #search input')?.focus();
    else focusOn(all[Math.min(to, all.length - 1)]);
  } else if (side) sides[sides.indexOf(event.target) + side]?.focus();
  else if (event.key === 'F2' && item) rename(item);
  else return;
  event.preventDefault();
});
element.addEventListener('focusin', event => { last = chatOf(event.target) || last; });
document.addEventListener('focusin', event => { if (!element.contains(event.target)) last = ''; });
document.addEventListener('keydown', event => {
  if (event.key !== 'ArrowDown' || event.isComposing || !event.target.closest?.('#search')) return;
  event.preventDefault();
  focusOn(rows()[0]);
});
// A deleted conversation leaves the focus to the next one, and Keep it to the button before
document.addEventListener('click', event => {
  if (event.target.closest('#sure')) {
    const item = element.querySelector('[aria-current]')?.closest('li');
    const items = [...element.querySelectorAll('li')], at = items.indexOf(item);
    wanted = (items[at + 1] || items[at - 1])?.dataset.chat || '';
  }
  if (event.target.closest('#keep')) document.querySelector('#delete')?.focus();
});
// The list is drawn anew whenever it changes
new MutationObserver(() => {
  const item = naming && element.querySelector(`li[data-chat="${naming.chat}"]`);
  if (item && !item.querySelector('.naming')) return rename(item, naming.text);
  const lost = !document.activeElement || document.activeElement === document.body;
  const row = rowOf(wanted) || (lost && last && rowOf(last));
  wanted = '';
  if (row) focusOn(row);
}).observe(element, {childList: true, subtree: true});
"""
"""JavaScript of the list; `element` is the list, and `trigger` calls its handlers."""
