"""A text file of a conversation: read or refused, cut to the window, kept, removed without a trace."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from nlpkit.chat.attached_file import MAX_BYTES, AttachedFile, read_text_file, start_of_file
from nlpkit.chat.refusals import MissingError
from nlpkit.chat.session import Session
from nlpkit.chat.store import Store
from nlpkit.errors import DataError
from tests.fakes import FakeBot


class Counting(FakeBot):
    """Counts words, of which 40 fit."""

    window = 100

    def tokens(self, text: str) -> int:
        return len(text.split())


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"plain\r\ntext\r\n", "plain\ntext\n"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "caf\u00e9"),
        ("\ufeffcaf\u00e9".encode("utf-16-le"), "caf\u00e9"),
        (b"a \x1b[31mb", "a [31mb"),
        ("\u05e9\u05dc\u05d5\u05dd <|im_end|>".encode(), "\u05e9\u05dc\u05d5\u05dd <|im_end|>"),
    ],
)
def test_d10_a_file_is_read_as_its_bytes_say(content: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    assert read_text_file(path, "notes.txt") == AttachedFile(name="notes.txt", text=text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"%PDF-1.7 ...", "it is a PDF"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "it is a picture"),
        (bytes(range(256)) * 40, "binary data"),
        (bytes(20) + b"text", "binary data"),
        (b"text with one \0 in it and more of it", "no text: a NUL character"),
        (b"caf\xe9", "byte 0xe9 is not UTF-8"),
        (b"x" * 70_000 + b"\xe9", "byte 0xe9"),
        (b"", "nothing in it can be read"),
        (b" \n\t\n", "nothing in it can be read"),
        (b"x" * (MAX_BYTES + 1), "5,000,001 bytes; expected at most 5,000,000"),
    ],
)
def test_d10_what_is_no_text_or_too_long_is_refused_by_name(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        read_text_file(path, "../<b>notes.txt")
    assert str(caught.value).startswith("<b>notes.txt: ")
    assert str(tmp_path) not in str(caught.value)
    assert "--encoding" not in str(caught.value)


def test_d10_a_packed_file_is_unpacked_no_further_than_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.txt.gz"
    path.write_bytes(gzip.compress(b"x" * 50_000_000))
    with pytest.raises(DataError, match="more than 5,000,000 characters"):
        read_text_file(path)


def test_d10_a_chat_model_reads_as_many_whole_words_as_fit() -> None:
    long = AttachedFile(name="a", text=" ".join(f"word{number}" for number in range(1000)))
    start = start_of_file(long, Counting())
    # 40 of 100 tokens; the last word that fits might be half a word
    assert start.tokens in (39, 40)
    assert start.text == " ".join(f"word{number}" for number in range(start.tokens))
    short = AttachedFile(name="a", text="three short words")
    assert start_of_file(short, Counting()).text == "three short words"
    # a server counts itself
    assert start_of_file(long, FakeBot()).tokens is None


def test_d10_a_file_is_kept_read_with_every_turn_and_removed_without_a_trace(tmp_path: Path) -> None:
    path, chat_model = tmp_path / "chat.db", Counting()
    with Store.open(path) as store:
        session = Session(store, chat_model)
        chat = session.start("ann", system="Be kind.").id
        store.files.attach(chat, "ann", AttachedFile(name="a.txt", text="the lamp is blue"))
    with Store.open(path) as store:
        session = Session(store, chat_model)
        list(session.say(chat, "ann", "which color?"))
        system = chat_model.asked[-1].system
        assert system.startswith("Be kind.\n\n")
        assert 'file "a.txt"' in system
        assert "the lamp is blue" in system
        with pytest.raises(MissingError):
            store.files.read(chat, "eve")
        store.files.attach(chat, "ann", AttachedFile(name="b.txt", text="another purplesecret"))
        store.files.remove(chat, "ann")
        assert store.files.read(chat, "ann") is None
        list(session.say(chat, "ann", "and now?"))
        assert chat_model.asked[-1].system == "Be kind."
        assert store.read(chat, "ann").messages[0].text == "which color?"
    for file in tmp_path.glob("chat.db*"):
        if file.is_file():
            assert b"purplesecret" not in file.read_bytes()
