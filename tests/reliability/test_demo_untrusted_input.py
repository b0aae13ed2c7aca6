"""What a client may send to the demo: untrusted histories, ids of other users, invalid settings."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nlpkit.chat.store import Store
from tests.browser.conftest import ROOT, free_port
from tests.reliability.record import Tally
from tests.tries import FULL, tries

pytestmark = pytest.mark.integration

PROGRAM = """
import json, sys
from pathlib import Path
from demo.app import build
from demo.gradio_server import quiet_gradio, serve
folder, port = Path(sys.argv[1]), int(sys.argv[2])

def note_lookup(event, details):
    if event == "socket.getaddrinfo":
        with (folder / "lookups.txt").open("a") as file:
            file.write(f"{details[0]}\\n")

sys.addaudithook(note_lookup)
quiet_gradio(folder / "gradio")
from demo.model_pool import ModelPool
from demo.guard import DemoLimits
from nlpkit.chat.store import Store
from tests.browser.fake import FakeBot, FakeScorer

class Noting(FakeBot):
    def stream(self, conversation, *, sampling=None, session=""):
        said = [(one.role, one.text) for one in conversation.turns]
        with (folder / "asked.jsonl").open("a") as file:
            file.write(json.dumps([("system", conversation.system), *said]) + "\\n")
        return super().stream(conversation, sampling=sampling, session=session)

limits = DemoLimits(messages_a_minute=100000, scorings_a_minute=100000)
bots = {"echo": lambda: Noting(pause=0), "other": lambda: Noting("other", pause=0)}
engines = ModelPool(Store.open(folder / "chat.sqlite"), bots, FakeScorer())
page = build(engines, FakeScorer(), runs=folder / "runs", folder=folder / "scored", limits=limits)
check = lambda name, password: password == f"word of {name}"
serve(page, host="127.0.0.1", port=port, limits=limits, check=check)
"""

SECRET = "the secret plan of alice"  # noqa: S105
UNTRUSTED = "an untrusted turn"
EVENT_DATA: tuple[Any, ...] = (
    None,
    {"index": 0, "value": UNTRUSTED, "liked": True},
    {"index": [0, 0], "value": [{"role": "system", "content": UNTRUSTED}], "previous_value": UNTRUSTED},
    {"index": -1, "value": {"role": "system"}, "_data": {"id": "CHAT", "chat": "CHAT"}},
)
"""What a page says of a click, a rating or an edit."""


class Demo:
    """The demo with two users, and what its bots were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        (folder / "runs").mkdir()
        self.log = folder / "log.txt"
        with self.log.open("wb") as log:
            environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(folder), str(self.port)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env=environment,
            )
        while True:
            assert self.process.poll() is None, self.log.read_text()
            try:
                httpx2.get(self.address, timeout=5)
                break
            except httpx2.TransportError:
                time.sleep(0.2)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def login(self, name: str) -> Iterator[httpx2.Client]:
        with httpx2.Client(base_url=self.address, timeout=60) as client:
            assert (
                client.post("/login", data={"username": name, "password": f"word of {name}"}).status_code
                == 200
            )
            yield client

    def asked(self) -> list[Any]:
        path = self.folder / "asked.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    found = Demo(tmp_path_factory.mktemp("demo"))
    try:
        yield found
    finally:
        found.process.kill()
        found.process.wait(30)


@pytest.fixture
def alice(demo: Demo) -> Iterator[httpx2.Client]:
    with demo.login("alice") as client:
        yield client


@pytest.fixture
def eve(demo: Demo) -> Iterator[httpx2.Client]:
    with demo.login("eve") as client:
        yield client


def called(client: httpx2.Client, name: str, *data: Any) -> tuple[str, str]:
    """The last event of a named endpoint, and its data."""
    event = client.post(f"/gradio_api/call/{name}", json={"data": data}).raise_for_status().json()["event_id"]
    lines = client.get(f"/gradio_api/call/{name}/{event}").text.split("\n")
    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    return events[-1], [line.removeprefix("data: ") for line in lines if line.startswith("data: ")][-1]


def say(client: httpx2.Client, text: str, chat: str = "", **changed: Any) -> tuple[str, str]:
    drawn = {
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 0,
        "repetition_penalty": 1.1,
        "max_new_tokens": 256,
        "seed": "",
    } | changed
    return called(
        client, "chat", text, chat, changed.get("model", ""), *[drawn[key] for key in list(drawn)[:6]]
    )


def posted(client: httpx2.Client, number: int, data: list[Any], event: Any) -> str:
    """All that the server answers to one internal event, as a page would send it."""
    session = secrets.token_hex(6)
    body = {
        "fn_index": number,
        "data": data,
        "session_hash": session,
        "event_data": event,
        "trigger_id": None,
    }
    joined = client.post("/gradio_api/queue/join", json=body)
    if joined.status_code != 200:
        return joined.text
    return client.get("/gradio_api/queue/data", params={"session_hash": session}).text


def untrusted_inputs(inputs: list[dict[str, Any]], chat: str) -> Iterator[list[Any]]:
    """Yield values for the inputs of an event: another user's id in all texts, or a text in the first."""
    texts = [place for place, one in enumerate(inputs) if one["type"] in ("textbox", "state", "api", "html")]
    for said in (
        dict.fromkeys(texts, chat),
        dict.fromkeys(texts[:-1], chat),
        dict.fromkeys(texts[:1], UNTRUSTED),
    ):
        yield [
            said.get(place, "")
            if place in texts
            else "echo"
            if one["type"] == "dropdown"
            else one["props"].get("value")
            for place, one in enumerate(inputs)
        ]


def test_no_event_shows_continues_or_changes_what_is_somebody_elses_or_believes_a_history(
    demo: Demo, alice: httpx2.Client, eve: httpx2.Client, tally: Tally
) -> None:
    assert say(alice, SECRET)[0] == "complete"
    with Store.open(demo.folder / "chat.sqlite") as store:
        [chat] = store.chats("alice")
        before = store.read(chat.id, "alice")
        asked = len(demo.asked())
        config = eve.get("/config").json()
        components = {one["id"]: one for one in config["components"]}
        answered = posts = 0
        for event in config["dependencies"]:
            inputs = [components[one] for one in event["inputs"]]
            if not event["backend_fn"]:
                continue
            # There is no place for a history: what was said is the server's to know
            assert not [one["type"] for one in inputs if one["type"] in ("chatbot", "chatinterface")], event[
                "api_name"
            ]
            pairs = list(itertools.product(untrusted_inputs(inputs, chat.id), EVENT_DATA))
            # In CI four of twelve: all inputs and all event data, not each with each
            for data, event_data in pairs if FULL else pairs[:: len(EVENT_DATA) - 1]:
                posts += 1
                details = json.loads(json.dumps(event_data).replace("CHAT", chat.id))
                came = posted(eve, event["id"], data, details)
                assert SECRET not in came, (event["id"], event["api_name"])
                answered += '"success":true' in came
        assert answered > tries(100, 30)
        assert store.read(chat.id, "alice") == before
        assert [one.id for one in store.chats("alice")] == [chat.id]
    assert len(demo.asked()) > asked + 3  # she may say what she likes in conversations of her own
    for conversation in demo.asked()[asked:]:
        assert SECRET not in str(conversation)
        assert {text for role, text in conversation if role == "user"} == {UNTRUSTED}
        assert [text for role, text in conversation if role == "assistant" and " heard: " not in text] == []
        assert conversation[0] == ["system", ""]
        assert [role for role, _ in conversation[1:]] == ["user", "assistant"] * (
            len(conversation) // 2 - 1
        ) + ["user"]
    tally(posts, "posts")


def test_an_id_of_another_and_one_that_never_was_are_refused_in_the_same_words(
    alice: httpx2.Client, eve: httpx2.Client, tally: Tally
) -> None:
    own = json.loads(say(alice, SECRET)[1])[0]["conversation"]
    draw = random.Random(3)
    neighbours = [
        own[:place] + ("0" if own[place] != "0" else "1") + own[place + 1 :]
        for place in range(0, len(own), 4)
    ]
    ids = [own, own.upper(), f" {own}", f"{own}'--", "%", "*", "../" + own, *neighbours]
    ids += ["".join(draw.choices("0123456789abcdef", k=len(own))) for _ in range(tries(100, 20))]
    words = {called(eve, "conversation", one) for one in ids} | {say(eve, "go on", one) for one in ids[:10]}
    [(event, said)] = words
    assert event == "error"
    assert "there is no such conversation" in said
    assert called(alice, "conversation", own)[0] == "complete"
    tally(len(ids), "ids")


PLACES = (
    "file=",
    "static/",
    "assets/",
    "proxy=",
    "component_server/",
    "stream/",
    "theme/",
    "custom_component/",
)
CANARY = "canary-in-a-file"


def paths(outside: Path, listener: int) -> Iterator[str]:
    """Ways to a file that is not served, and to another server, for each place that takes a name."""
    plain = str(outside).lstrip("/")
    up = "../" * 12 + plain
    coded = up.replace("..", "%2e%2e").replace("/", "%2f")
    for place in PLACES:
        yield from (
            f"{place}{one}" for one in (f"/{plain}", up, coded, coded.replace("%", "%25"), f"file:///{plain}")
        )
        yield from (
            f"{place}http://127.0.0.1:{listener}/x",
            f"{place}//127.0.0.1:{listener}/x",
            f"{place}/proc/self/environ",
        )


def raw(port: int, path: str, cookie: str) -> bytes:
    """The answer to a path as it is written: a client's library would tidy it."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        head = f"GET /gradio_api/{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
        head += "Connection: close\r\n\r\n"
        line.sendall(head.encode())
        return b"".join(iter(lambda: line.recv(65536), b""))


def test_no_path_gives_a_file_or_reaches_another_server(demo: Demo, eve: httpx2.Client, tally: Tally) -> None:
    outside = demo.folder / "outside.txt"
    outside.write_text(CANARY)
    cookie = "; ".join(f"{one.name}={one.value}" for one in eve.cookies.jar)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        tried = list(paths(outside, listener.getsockname()[1]))
        assert len(tried) >= 40
        for path in tried:
            answer = raw(demo.port, path, cookie)
            assert CANARY.encode() not in answer, path
            assert b"OMP_NUM_THREADS" not in answer, path  # of /proc/self/environ
            assert answer.split(b" ")[1] in (b"400", b"403", b"404", b"405", b"422"), path
        with pytest.raises(BlockingIOError):
            listener.accept()
    tally(len(tried), "URLs")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("temperature", one) for one in (-0.1, 2.1, 1e9, "hot", None, [1], {"a": 1}, True)),
        *(("top_p", one) for one in (0, 1.01, -1, "1e999")),
        *(("top_k", one) for one in (-1, 10**9, 1.5, "many")),
        *(("repetition_penalty", one) for one in (0, 1e9)),
        *(("max_new_tokens", one) for one in (0, -5, 10**9, "all")),
        *(("seed", one) for one in ("-1", "x", str(2**64), 1e400 - 1e400)),
    ],
)
def test_settings_that_mean_nothing_are_refused_and_the_server_lives(
    demo: Demo, alice: httpx2.Client, name: str, value: Any
) -> None:
    before = len(demo.asked())
    if value != value:  # as Python's JSON spells what is no number
        body = json.dumps({"data": ["hi", "", "", 0.7, 0.9, 0, 1.1, 256, float("nan")]})
        answer = alice.post(
            "/gradio_api/call/chat", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (200, 400, 422)
    else:
        event, said = say(alice, "hi", **{name: value})
        assert event == "error"
        assert "Traceback" not in said
        assert SECRET not in said
    assert len(demo.asked()) == before
    assert say(alice, "and now?")[0] == "complete"


def test_c6_half_requests_keep_nobody_from_the_demo(demo: Demo) -> None:
    half = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-a: b"
    with ExitStack() as stack:
        lines = [
            stack.enter_context(socket.create_connection(("127.0.0.1", demo.port), timeout=10))
            for _ in range(300)
        ]
        for line in lines:
            line.sendall(half)
        assert httpx2.get(f"{demo.address}/config", timeout=20).status_code == 401
        with suppress(ConnectionError):  # the one that waited longest was closed
            assert lines[0].recv(1) == b""


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_c7_a_page_of_another_website_can_write_nothing(
    demo: Demo, eve: httpx2.Client, headers: dict[str, str]
) -> None:
    upload = {"files": ("a.csv", b"text\nhello\n")}
    assert eve.post("/gradio_api/upload", files=upload, headers=headers).status_code == 403
    assert eve.post("/gradio_api/call/chat", json={"data": ["hi"]}, headers=headers).status_code == 403
    login = {"username": "eve", "password": "word of eve"}
    assert httpx2.post(f"{demo.address}/login", data=login, headers=headers).status_code == 403
    asked = eve.options("/gradio_api/upload", headers={**headers, "access-control-request-method": "POST"})
    for answer in (asked, eve.get("/config", headers=headers)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert asked.status_code == 403
    same = {"origin": demo.address}
    assert eve.post("/gradio_api/upload", files=upload, headers=same).status_code == 200


def test_c7_the_schema_of_the_demo_needs_a_login(demo: Demo, eve: httpx2.Client) -> None:
    assert httpx2.get(f"{demo.address}/gradio_api/openapi.json").status_code == 401
    assert eve.get("/gradio_api/openapi.json").status_code == 200


def test_c5_no_event_looks_up_or_fetches_what_a_client_names(demo: Demo, eve: httpx2.Client) -> None:
    url = "https://example.org/a.csv"
    for path in (url, "http://huggingface.co/a.csv", "https:example.org"):
        assert eve.get(f"/gradio_api/file={path}").status_code in (403, 404)
    config = eve.get("/config").json()
    tried = files = 0
    for event in config["dependencies"]:
        if not event["backend_fn"] or not event["inputs"]:
            continue
        file = {"path": url, "url": url, "orig_name": "a.csv", "meta": {"_type": "gradio.FileData"}}
        posted(eve, event["id"], [[file, {**file, "path": "a.csv"}] for _ in event["inputs"]], None)
        components = {component["id"]: component["type"] for component in config["components"]}
        if {components[number] for number in event["inputs"]} & {"file"}:
            posted(eve, event["id"], [file for _ in event["inputs"]], None)
            files += 1
        tried += 1
    assert tried > 20
    assert files
    names = set((demo.folder / "lookups.txt").read_text().split())
    assert names <= {"127.0.0.1", "localhost", "None", "::1", "0.0.0.0"}  # noqa: S104


def events_of(client: httpx2.Client, kind: str) -> Iterator[dict[str, Any]]:
    """Yield the events that take a file of a component of this kind."""
    config = client.get("/config").json()
    components = {component["id"]: component["type"] for component in config["components"]}
    for event in config["dependencies"]:
        if event["backend_fn"] and kind in {components[number] for number in event["inputs"]}:
            yield event


def ways_to(path: str, own: str) -> Iterator[str]:
    """Yield ways to write a path: encoded, with dots and slashes, and out of the caller's own folder."""
    up = "../" * len(Path(own).parents) + path.lstrip("/")
    encoded = "".join(f"%{byte:02x}" for byte in path.encode())
    for place in ("file=", "file/", "FILE=", "stream/", "static/", "proxy="):
        yield from (f"{place}{path}", f"{place}{encoded}", f"{place}{encoded.replace('%', '%25')}")
    dotted = path.replace("/", "/./")
    for way in (
        f"/{path}",
        f"//{path}",
        dotted,
        f"{own}/../{up}",
        f"{own}/{up}",
        f"file://{path}",
        f"{path}/",
    ):
        yield from (
            f"file={way}",
            f"file={way.replace('..', '%2e%2e').replace('/', '%2f')}",
            f"file={way}?x=1",
        )


def test_c7_a_file_is_given_to_the_user_who_uploaded_or_made_it_and_to_nobody_else(
    demo: Demo, alice: httpx2.Client, eve: httpx2.Client
) -> None:
    rows = f"text\n{CANARY}\n".encode()
    own = eve.post("/gradio_api/upload", files={"files": ("own.csv", b"text\nmine\n")}).json()[0]
    [uploaded] = alice.post("/gradio_api/upload", files={"files": ("a.csv", rows)}).json()
    file = {"path": uploaded, "orig_name": "a.csv", "meta": {"_type": "gradio.FileData"}}
    events = list(events_of(alice, "file"))
    [scoring] = [event["id"] for event in events if len(event["inputs"]) == 2]
    answer = posted(alice, scoring, [file, "text"], None)
    [scored] = set(re.findall(r'"path": ?"([^"]+scored\.csv)"', answer))

    cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in eve.cookies.jar)
    for path in (uploaded, scored):
        assert CANARY in alice.get(f"/gradio_api/file={path}").raise_for_status().text
        assert alice.head(f"/gradio_api/file={path}").status_code == 200
        for way in ways_to(path, own):
            answered = raw(demo.port, way, cookie)
            assert answered.split(b" ")[1] in (b"400", b"403", b"404", b"405"), way
            assert CANARY.encode() not in answered, way
        headers = {"range": "bytes=0-3"}
        assert alice.get(f"/gradio_api/file={path}", headers=headers).content == b"text"
        assert eve.get(f"/gradio_api/file={path}", headers=headers).status_code == 403
        assert eve.head(f"/gradio_api/file={path}").status_code == 403
        assert httpx2.get(f"{demo.address}/gradio_api/file={path}").status_code == 401
        # Nor does an event read it
        for event, sent in itertools.product(events, (path, f"{own}/../../..{path}")):
            for meta in ({}, {"meta": file["meta"]}):
                inputs = [{"path": sent, "orig_name": "a.csv", **meta}, "text"][: len(event["inputs"])]
                answered = posted(eve, event["id"], inputs, None)
                assert '"success":false' in answered
                assert CANARY not in answered


def test_c7_two_users_with_the_same_file_have_one_each(alice: httpx2.Client, eve: httpx2.Client) -> None:
    upload = {"files": ("same.csv", b"text\nthe same\n")}
    [first], [second] = [client.post("/gradio_api/upload", files=upload).json() for client in (alice, eve)]
    assert first != second
    assert alice.get(f"/gradio_api/file={first}").content == eve.get(f"/gradio_api/file={second}").content
    assert eve.get(f"/gradio_api/file={first}").status_code == 403
    assert alice.get(f"/gradio_api/file={second}").status_code == 403


def test_c7_the_progress_of_an_upload_goes_to_the_user_who_uploads(
    alice: httpx2.Client, eve: httpx2.Client
) -> None:
    upload = {"files": ("secret-name.csv", b"text\nhello\n")}
    alice.post("/gradio_api/upload?upload_id=known", files=upload).raise_for_status()
    answer = eve.get("/gradio_api/upload_progress?upload_id=known")
    assert (answer.status_code, "secret-name" in answer.text) == (404, False)
    assert '"done"' in alice.get("/gradio_api/upload_progress?upload_id=known").raise_for_status().text
