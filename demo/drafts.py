"""Drafts: what is typed and not sent yet is kept in the browser, for each conversation."""

from __future__ import annotations

from typing import Any

DRAFTS = """
const DRAFT = 'nlpkit-draft:';
window.drafts = {
  chat: null,
  // A browser may forbid to keep anything
  keep(chat, text) {
    try { text ? localStorage.setItem(DRAFT + chat, text) : localStorage.removeItem(DRAFT + chat); } catch {}
  },
  save(text, chat) {
    if (this.chat !== null) this.keep(chat, text);  // else the page is not open yet
  },
  // What was typed before a conversation began is its draft, where it was not what began it
  begin(text, chat, opened) {
    if (this.chat !== '' || !chat || opened.split(' ')[1] === chat) return;
    this.keep('', '');
    this.keep(chat, text);
    this.chat = chat;
  },
  open(opened, text) {
    const [, chat, ...words] = opened.split(' '), typed = this.chat === null ? text : '';
    this.chat = chat;
    let draft = '';
    try { draft = localStorage.getItem(DRAFT + chat) ?? ''; } catch {}
    // A reload came before the page knew that the message was sent
    if (draft && draft.trim() === words.join(' ').trim()) draft = '';
    return typed || draft;
  },
};
document.addEventListener('click', event => {
  if (event.target.closest('#sure')) drafts.keep(drafts.chat, '');  // its conversation is deleted
});
"""
"""JavaScript that runs once, when the page opens."""

SAVE = "(text, chat) => window.drafts?.save(text, chat)"
BEGIN = "(text, chat, opened) => window.drafts?.begin(text, chat, opened)"
OPEN = "(opened, text) => window.drafts ? window.drafts.open(opened, text) : text"


def keep_drafts(talk: Any) -> None:
    """Save what is in the message box, and put a draft back into it when its conversation is opened."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
    talk.box.change(None, [talk.box, talk.chat], None, js=SAVE, **quiet)
    talk.chat.change(None, [talk.box, talk.chat, talk.opened], None, js=BEGIN, **quiet)
    talk.opened.change(None, [talk.opened, talk.box], [talk.box], js=OPEN, **quiet)
