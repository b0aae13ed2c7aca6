"""JavaScript of the page: what it does when it opens, light or dark, and the panel on a narrow page."""

from __future__ import annotations

# Light or dark like the system, until the user chooses; begins the function that runs when a page opens
SETUP = """() => { const kept = localStorage.getItem('nlpkit-theme');
if (kept) document.body.classList.toggle('dark', kept === 'dark');
document.documentElement.lang = 'en';
const name = () => { for (const button of document.querySelectorAll('button:not([aria-label])')) {
  if (!button.textContent.trim()) button.setAttribute('aria-label', button.title || 'button'); } };
document.querySelector('meta[name=viewport]').content +=
  ', viewport-fit=cover, interactive-widget=resizes-content';
name(); new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
"""
COVERS = """
const board = navigator.clipboard, write = board?.writeText.bind(board);
if (board) board.writeText = text => write(text.replace(/([<!&])\\u2060/g, '$1'));
// On a wide page the list of conversations is open; on a narrow one it is closed and covers the page
const wide = matchMedia('(min-width: 900px)');
const [list, panel] = ['sidebar', 'panel'].map(id => document.getElementById(id));
const isOpen = part => part.classList.contains('open');
const listButton = list.querySelector('.toggle-button'), details = document.getElementById('details');
const fit = () => { if (isOpen(panel)) details.click();
  if (isOpen(list) !== wide.matches) listButton.click(); };
fit(); wide.addEventListener('change', fit);
// What is closed or covered takes no focus
const cover = () => {
  const isCovered = isOpen(list) && !wide.matches;
  list.querySelector('.sidebar-content').inert = !isOpen(list);
  document.querySelectorAll('#masthead, .tabs').forEach(part => { part.inert = isCovered; });
  document.getElementById('talk').inert = isOpen(panel) && !wide.matches;
};
const closeCover = () => { const [part, button] = isOpen(list) ? [list, listButton] : [panel, details];
  if (wide.matches || !isOpen(part)) return false;
  button.click(); button.focus(); return true; };
cover(); wide.addEventListener('change', cover);
const changed = new MutationObserver(cover);
[list, panel].forEach(part => changed.observe(part, {attributes: true, attributeFilter: ['class']}));
"""
TOGGLE = """() => { const dark = document.body.classList.toggle('dark');
localStorage.setItem('nlpkit-theme', dark ? 'dark' : 'light'); }"""

# On a narrow page the panel covers the chat
DETAILS = """() => { const open = document.getElementById('panel').classList.toggle('open');
document.getElementById('details').setAttribute('aria-expanded', open); }"""

# Gradio scrolls to the last message up to 300 ms after a change, so a message is brought into view repeatedly
BRING = """const bring = (find, left = 4) => { find()?.scrollIntoView({block: 'center'});
  if (left) setTimeout(bring, 150, find, left - 1); };
"""
