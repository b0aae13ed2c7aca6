"""Standard streams that are full, closed or read in part, arguments that are no UTF-8, and pipes as files."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from nlpkit.chat.store import Store
from nlpkit.classifiers.classifier import as_texts
from nlpkit.cli.streams import refuse_undecodable
from nlpkit.config import read_config
from nlpkit.errors import ConfigError, DataError, NlpkitError

NLPKIT = f"{sys.executable} -m nlpkit"


def shell(line: str) -> tuple[int, str, str]:
    done = subprocess.run(["/bin/bash", "-c", line], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("sources --json > /dev/full", "No space left on device"),
        ("--help > /dev/full", "No space left on device"),
        ("sources >&-", "Bad file descriptor"),
    ],
)
def test_c9_output_that_cannot_be_written_is_said_once(command: str, reason: str) -> None:
    code, _, talk = shell(f"{NLPKIT} {command}")
    assert code == 1
    assert " ".join(talk.split()).startswith(
        f"error: standard output: could not be written: {reason}; hint: "
    )
    assert len(talk.splitlines()) == 1


def test_c9_a_reader_that_has_had_enough_is_no_failure() -> None:
    code, _, talk = shell(f"{NLPKIT} sources --json | head -c 0; exit ${{PIPESTATUS[0]}}")
    assert (code, talk) == (0, "")


def test_c9_without_any_standard_stream_the_exit_code_is_left() -> None:
    assert shell(f"{NLPKIT} --version <&- >&- 2>&-") == (1, "", "")
    assert shell(f"{NLPKIT} sources no-such-command <&- >&- 2>&-")[0] == 2


def test_c9_arguments_that_are_no_utf8(tmp_path: Path) -> None:
    refuse_undecodable(["predict", "café 😀", "--json"])
    with pytest.raises(
        ConfigError, match=r"argument 2 of the command is not UTF-8: caf\\xe9; hint: "
    ) as caught:
        refuse_undecodable(["predict", os.fsdecode(b"caf\xe9")])
    assert caught.value.exit_code == 2
    name = os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.csv")
    Path(name).touch()
    refuse_undecodable(["score", name])
    with pytest.raises(DataError, match="position 1 of 2: byte 0xe9 at character 4 does not fit"):
        as_texts(["fine", os.fsdecode(b"caf\xe9")])


def test_c9_a_pipe_in_place_of_a_store_or_a_config_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="pipe: is no regular file; expected a store; hint: "):
        Store.open(pipe)
    with pytest.raises(ConfigError, match="pipe: is no regular file; expected a YAML file; hint: "):
        read_config(pipe)


def test_c9_a_damaged_store_is_one_clear_sentence(tmp_path: Path) -> None:
    path = tmp_path / "chat.sqlite"
    with Store.open(path) as store:
        chat = store.create("", title="tea")
        store.append(chat.id, "", "user", "hello there " * 20)
    content, drawn = path.read_bytes(), random.Random(3)
    errors: list[tuple[Path, NlpkitError]] = []
    for number in range(60):
        damaged = bytearray(content)
        for _ in range(drawn.choice([1, 20, 500])):
            damaged[drawn.randrange(100, len(damaged))] = drawn.randrange(256)
        copy = tmp_path / f"{number}.sqlite"
        copy.write_bytes(damaged)
        try:
            with Store.open(copy) as store:
                for found in store.chats("", "hello"):
                    store.read(found.id, "")
                store.create("")
        except NlpkitError as error:
            errors.append((copy, error))
    assert len(errors) > 20
    for copy, error in errors:
        assert error.exit_code == 3
        assert str(error).startswith(f"{copy}: ")
        assert "hint: " in str(error)
