"""A store whose writer is killed at random: what was reported as saved is there; what is partial says so."""

from __future__ import annotations

import hashlib
import random
import signal
import sqlite3
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from nlpkit.chat.messages import INTERRUPTED
from nlpkit.chat.store import Store
from tests.reliability.record import Tally
from tests.tries import tries

KILLS = tries(50, 3)

SCRIPT = """
import hashlib, itertools, os, sys
sys.path.insert(0, sys.argv[3])
from nlpkit.chat.session import Session
from nlpkit.chat.messages import INTERRUPTED
from nlpkit.chat.store import Store
from tests.fakes import FakeBot

def sealed(text):
    return f"{text} {hashlib.sha256(text.encode()).hexdigest()}"

def reply(conversation, sampling):
    return sealed("reply to " + conversation.turns[-1].text.split()[-1] + " word" * 100)

session = Session(Store.open(sys.argv[1]), FakeBot(says=reply))
chat, run = sys.argv[2], sys.argv[4]
print("ready", flush=True)
for number in itertools.count():
    if number % 7 == 6:  # deletions are killed too
        other = session.start("").id
        list(session.say(other, "", sealed("to be deleted")))
        session.store.delete(other, "")
    stream = session.say(chat, "", sealed(f"turn {run}-{number}"))
    print("user", stream.message.id, flush=True)
    for chunk in stream:
        pass
    print("assistant", stream.reply.id, flush=True)
"""


def is_sealed(text: str) -> bool:
    head, _, seal = text.rpartition(" ")
    return hashlib.sha256(head.encode()).hexdigest() == seal


def test_what_was_said_to_be_saved_survives_kills(tmp_path: Path, tally: Tally) -> None:
    path = tmp_path / "chat.db"
    with Store.open(path) as store:
        chat = store.create("").id
    moments = random.Random(5)
    acknowledged: list[tuple[str, str]] = []
    for kill in range(KILLS):
        command = [sys.executable, "-c", SCRIPT, str(path), chat, str(Path(__file__).parents[2]), str(kill)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        first = child.stdout.readline() + child.stdout.readline()  # a turn and its reply
        time.sleep(moments.uniform(0, 0.6))
        child.send_signal(signal.SIGKILL)
        rest, _ = child.communicate(timeout=60)
        said = first + rest
        # A last line that was cut off was not said
        acknowledged += [
            (role, id)
            for role, id in (line.split() for line in said.splitlines(keepends=True) if line.endswith("\n"))
        ]

        with Store.open(path) as store:
            messages = store.read(chat, "").messages
            found = {message.id: message for message in messages}
            assert [id for role, id in acknowledged if id not in found or found[id].role != role] == []
            whole = [message for message in messages if message.finish != INTERRUPTED]
            assert [message.id for message in whole if not is_sealed(message.text)] == []
            for before, after in pairwise(messages):
                assert after.parent == before.id
                assert before.role == "user" or after.role == "user"
            # What was being deleted is gone or whole, but for a reply that was not at its end
            others = [other for other in store.chats("") if other.id != chat]
            left = [message for other in others for message in store.read(other.id, "").messages]
            assert all(is_sealed(message.text) for message in left if message.finish != INTERRUPTED)
            assert store._database.rows("PRAGMA integrity_check")[0][0] == "ok"
            store._database.rows("INSERT INTO found (found, rank) VALUES ('integrity-check', 1)")
            store.hold(chat, "").release()
    assert len(acknowledged) >= 2 * KILLS
    assert len({role for role, _ in acknowledged}) == 2
    with sqlite3.connect(path) as plain:
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
    plain.close()
    tally(KILLS, "kills")
