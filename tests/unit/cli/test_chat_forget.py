"""`nlpkit chat forget`: what it lists, deletes and refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nlpkit.chat.store import Store
from nlpkit.cli.app import main


def forget(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["nlpkit", "chat", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_c10_a_conversation_is_forgotten_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chat.sqlite"
    with Store.open(path) as store:
        kept, gone = (store.create("", title=title).id for title in ("tea", "a secret plan"))
        others = store.create("alice", title="of alice").id
        store.append(gone, "", "user", "the password is xyzzyplugh")
        store.append(kept, "", "user", "green or black")
    assert forget(monkeypatch, "forget", "--store", path) == 0
    listed = capsys.readouterr().out.splitlines()
    assert sorted(line.split("  ")[::2] for line in listed) == sorted(
        [[kept, "tea"], [gone, "a secret plan"]]
    )

    assert forget(monkeypatch, "forget", kept, "no-such-id", "--store", path) == 3
    talk = " ".join(capsys.readouterr().err.split())
    assert "no-such-id: there is no such conversation, and none was deleted; hint: nlpkit chat forget" in talk
    assert forget(monkeypatch, "forget", others, "--store", path) == 3

    assert forget(monkeypatch, "forget", gone, gone, "--store", path) == 0
    assert f"{gone}: deleted" in capsys.readouterr().err
    with Store.open(path) as store:
        assert [chat.id for chat in store.chats("")] == [kept]
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    for file in files:
        for word in (b"xyzzyplugh", b"secret plan", gone.encode()):
            assert word not in file.read_bytes(), file


def test_c10_what_is_no_store_or_no_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert forget(monkeypatch, "forget", "x", "--store", tmp_path / "none.sqlite") == 3
    assert not (tmp_path / "none.sqlite").exists()
    assert "no such store; hint: name the file" in " ".join(capsys.readouterr().err.split())
    assert forget(monkeypatch, "runs/bot", "x") == 2
    assert "hint: nlpkit chat RUN, or nlpkit chat forget ID" in " ".join(capsys.readouterr().err.split())
