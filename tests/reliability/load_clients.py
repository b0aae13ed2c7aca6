"""Clients of `nlpkit serve` and the demo that talk, are slow, leave or lie, and count what they see."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2

from tests.browser.conftest import Server

ERRORS = (httpx2.HTTPError, httpx2.StreamError)
KEYS = {"honest": "key-of-the-honest", "lying": "key-of-the-liars"}
DRAWN = ("", 0.7, 0.9, 0, 1.1, 256, "")
"""Gradio wants all that /chat takes, the defaults too: which bot, and how it draws."""
LONG = "a long story " * 40
LARGE = 1_000_000
"""Bytes of a body that the server may refuse to read to its end."""
RETRY = 5.0
"""Seconds that a client waits at most before it comes back."""


class Watched:
    """A server that is killed, its clients' counts, and what they saw as saved."""

    def __init__(self, name: str, folder: Path, words: Sequence[str]) -> None:
        folder.mkdir()
        self.name, self.server = name, Server(folder, "-m")
        self.server.words = (*words, str(self.server.store), str(self.server.port))
        self.life, self.is_down, self.started = 0, True, 0.0
        self.counts: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.first_seconds: list[float] = []
        self.held: list[dict[str, float]] = []
        self.saved: dict[str, list[tuple[str, str]]] = defaultdict(list)
        """By conversation, or by reason of a rating: what a client saw as saved."""

    def start(self) -> None:
        self.server.start()
        self.started, self.is_down, self.life = time.monotonic(), False, self.life + 1

    def kill(self) -> None:
        self.is_down = True
        self.server.kill()
        self.counts["kills"] += 1

    def broke(self, life: int, what: str = "") -> None:
        """Count a request that broke off."""
        self.counts["cut by a kill" if self.is_down or self.life != life else f"lost {what}".strip()] += 1

    def measure(self) -> None:
        """Note the memory, files and threads of the server's process."""
        process = self.server.process
        if self.is_down or process is None:
            return
        about = Path(f"/proc/{process.pid}")
        with contextlib.suppress(OSError):
            status = dict(line.split(":", 1) for line in (about / "status").read_text().splitlines())
            self.held.append(
                {
                    "life": self.life,
                    "seconds": round(time.monotonic() - self.started, 1),
                    "mb": int(status["VmRSS"].split()[0]) / 1000,
                    "threads": int(status["Threads"]),
                    "files": len(list((about / "fd").iterdir())),
                }
            )


class Clients:
    """The clients of one server."""

    def __init__(self, at: Watched, count: int, end: float, think: tuple[float, float]) -> None:
        self.at, self.count, self.end, self.think = at, count, end, think

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.end

    async def run(self) -> None:
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(
            base_url=self.at.server.address, timeout=120, limits=limits
        ) as self.client:
            await asyncio.gather(*(self.live(number) for number in range(self.count)))

    async def live(self, number: int) -> None:
        draw = random.Random(number)
        does = {7: self.slow, 8: self.leave, 9: self.lie}.get(number % 10, self.talk)
        turn = 0
        await asyncio.sleep(draw.uniform(0, self.think[1]))
        while self.goes_on:
            life, turn = self.at.life, turn + 1
            try:
                await does(f"client {number} talk {turn}", draw)
            except ERRORS as error:
                self.at.broke(life, type(error).__name__)
                await asyncio.sleep(1)
            await asyncio.sleep(draw.uniform(*self.think))

    async def talk(self, name: str, draw: random.Random) -> None:
        raise NotImplementedError

    async def slow(self, name: str, draw: random.Random) -> None:
        """Send a body in pieces: some come to an end, and some never do."""
        pieces, pause = draw.choice(((20, 0.3), (200, 0.5)))
        path, body = self.body(name)

        async def dripped() -> AsyncIterator[bytes]:
            size = max(1, len(body) // pieces)
            for place in range(0, len(body), size):
                yield body[place : place + size]
                if not self.goes_on:
                    return
                await asyncio.sleep(pause)

        life = self.at.life
        try:
            answered = await self.client.post(path, content=dripped(), headers=self.headers())
        except ERRORS:
            if pieces == 20:
                raise
            self.at.counts["slow clients closed" if self.at.life == life else "cut by a kill"] += 1
        else:
            self.at.counts[f"slow clients: status {answered.status_code}"] += 1

    async def leave(self, name: str, draw: random.Random) -> None:
        raise NotImplementedError

    def body(self, name: str) -> tuple[str, bytes]:
        raise NotImplementedError

    def headers(self, who: str = "honest") -> dict[str, str]:
        return {"authorization": f"Bearer {KEYS[who]}", "content-type": "application/json"}

    async def lie(self, name: str, draw: random.Random) -> None:
        """Send what must be refused with one of these statuses."""
        what, path, content, headers, expected = draw.choice(list(self.lies()))
        try:
            answered = await self.client.post(path, content=content, headers=headers)
        except ERRORS:
            if len(content) < LARGE:
                raise
            self.at.counts["lies refused"] += 1  # the answer, which ends the sending, need not be read
            return
        if answered.status_code in expected:
            self.at.counts["lies refused"] += 1
        elif answered.status_code in (429, 503):
            self.at.counts["refused politely"] += 1
        else:
            self.at.counts[f"lie believed: {what}, status {answered.status_code}"] += 1

    def lies(self) -> Iterator[tuple[str, str, bytes, dict[str, str], tuple[int, ...]]]:
        raise NotImplementedError


class ServeClients(Clients):
    """Clients of OpenAI's protocol."""

    newest = "chatcmpl-none"

    async def talk(self, name: str, draw: random.Random) -> None:
        messages: list[dict[str, str]] = []
        for turn in range(draw.randint(1, 5)):
            text = f"{name} turn {turn}"
            messages.append({"role": "user", "content": text})
            while (found := await self.reply(messages, stream=draw.random() < 0.5)) is None:
                if not self.goes_on:
                    return
            id, said = found
            self.at.counts["mixed up"] += not self.is_own(said, messages)
            messages.append({"role": "assistant", "content": said})
            if turn % 3 == 0:
                await self.rate(id, text, messages)
            await asyncio.sleep(draw.uniform(*self.think))

    def is_own(self, said: str, messages: list[dict[str, str]]) -> bool:
        """Whether it answers the last message, by the rule of the bot."""
        return said == f"{len(messages)}: {messages[-1]['content']}"

    async def reply(self, messages: list[dict[str, str]], *, stream: bool) -> tuple[str, str] | None:
        life, begun, first = self.at.life, time.monotonic(), 0.0
        asked = {"messages": messages, "stream": stream}
        said, id, finish = "", "", None
        try:
            async with self.client.stream(
                "POST", "/v1/chat/completions", json=asked, headers=self.headers()
            ) as answer:
                if answer.status_code in (429, 503):
                    await self.wait(answer.headers)
                    return None
                if answer.status_code != 200:
                    self.at.counts[f"failed: status {answer.status_code}"] += 1
                    return None
                async for line in answer.aiter_lines():
                    data = line.removeprefix("data: ")
                    if data.startswith("{"):
                        event = json.loads(data)
                        id, [choice] = event["id"], event["choices"]
                        said += (choice["delta"] if stream else choice["message"]).get("content") or ""
                        finish = choice["finish_reason"] or finish
                        first = first or time.monotonic() - begun
        except ERRORS as error:
            self.at.broke(life, type(error).__name__)
            await asyncio.sleep(1)
            return None
        if finish is None:
            self.at.broke(life, "end")
            return None
        self.at.counts["replies"] += 1
        self.at.seconds.append(time.monotonic() - begun)
        self.at.first_seconds.append(first)
        self.newest = id
        return id, said

    async def wait(self, headers: Any) -> None:
        """Come back when the server says so."""
        said = "retry-after" in headers
        self.at.counts["refused politely" if said else "refused without Retry-After"] += 1
        await asyncio.sleep(min(RETRY, float(headers.get("retry-after", RETRY))))

    async def rate(self, id: str, reason: str, messages: list[dict[str, str]]) -> None:
        life = self.at.life
        body = {"completion_id": id, "rating": "up", "reason": reason}
        answer = await self.client.post("/v1/feedback", json=body, headers=self.headers())
        if answer.status_code == 200:
            self.at.counts["ratings"] += 1
            self.at.saved[reason] = [(turn["role"], turn["content"]) for turn in messages]
        elif self.at.life == life and not self.at.is_down:
            self.at.counts[f"rating refused: status {answer.status_code}"] += 1

    async def leave(self, name: str, draw: random.Random) -> None:
        asked = {"messages": [{"role": "user", "content": LONG}], "stream": True}
        async with self.client.stream(
            "POST", "/v1/chat/completions", json=asked, headers=self.headers()
        ) as answer:
            async for line in answer.aiter_lines():
                if line:
                    break
        self.at.counts["clients that left"] += 1

    def body(self, name: str) -> tuple[str, bytes]:
        said = {"messages": [{"role": "user", "content": f"{name} {LONG[:400]}"}]}
        return "/v1/chat/completions", json.dumps(said).encode()

    def lies(self) -> Iterator[tuple[str, str, bytes, dict[str, str], tuple[int, ...]]]:
        headers, chat = self.headers("lying"), "/v1/chat/completions"
        said = [{"role": "user", "content": "hello"}]

        def asked(**more: Any) -> bytes:
            return json.dumps({"messages": said} | more).encode()

        rating = {"completion_id": self.newest, "rating": "down"}
        yield "no key", chat, asked(), headers | {"authorization": "Bearer no"}, (401,)
        yield "a role", chat, asked(messages=[{"role": "tool", "content": "x"}]), headers, (400,)
        yield "temperature", chat, asked(temperature=-5), headers, (400,)
        yield "2 MB", chat, b"x" * 2_000_000, headers, (413,)
        yield "half a body", chat, asked()[:-9], headers, (400,)
        yield "another website", chat, asked(), headers | {"origin": "http://evil.test"}, (403,)
        yield "the reply of another", "/v1/feedback", json.dumps(rating).encode(), headers, (404,)


class Talkers(ServeClients):
    """Clients of a real model that all talk without a pause, and rate nothing."""

    slow = leave = lie = ServeClients.talk

    def is_own(self, said: str, messages: list[dict[str, str]]) -> bool:
        return bool(said.strip())

    async def rate(self, id: str, reason: str, messages: list[dict[str, str]]) -> None:
        return


class DemoClients(Clients):
    """Clients of the demo's API."""

    async def talk(self, name: str, draw: random.Random) -> None:
        chat = ""
        for turn in range(draw.randint(1, 5)):
            while (found := await self.said(f"{name} turn {turn}", chat)) is None:
                if not self.goes_on:
                    return
            if not (chat := found):
                return  # cut by a kill: what was saved of it is in the store
            await asyncio.sleep(draw.uniform(*self.think))

    async def said(self, text: str, chat: str) -> str | None:
        """Return the conversation, nothing where it broke off, or None where the demo is full."""
        life, begun, is_saved = self.at.life, time.monotonic(), False
        path, content = "/gradio_api/call/chat", json.dumps({"data": [text, chat, *DRAWN]})
        try:
            asked = await self.client.post(path, content=content, headers=self.headers())
            if asked.status_code in (429, 503):
                self.at.counts["refused politely"] += 1
                await asyncio.sleep(RETRY)
                return None
            async for name, data in self.events(asked.raise_for_status().json()["event_id"]):
                if name == "error":
                    self.at.counts[f"failed: {json.dumps(data)[:80]}"] += 1
                    return ""
                if name in ("generating", "complete") and not is_saved:
                    is_saved, chat = True, data[0]["conversation"]
                    self.at.saved[chat].append(("user", text))
                    self.at.first_seconds.append(time.monotonic() - begun)
                if name == "complete":
                    said = data[0]["reply"]
                    self.at.saved[chat].append(("assistant", said))
                    self.at.counts["replies"] += 1
                    self.at.counts["mixed up"] += not said.endswith(f"heard: {text}")
                    self.at.seconds.append(time.monotonic() - begun)
                    return chat
        except ERRORS as error:
            self.at.broke(life, type(error).__name__)
            await asyncio.sleep(1)
            return ""
        self.at.broke(life, "end")
        return ""

    async def events(self, id: str) -> AsyncIterator[tuple[str, Any]]:
        async with self.client.stream("GET", f"/gradio_api/call/chat/{id}") as answer:
            name = ""
            async for line in answer.aiter_lines():
                key, _, value = line.partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    yield name, json.loads(value)

    async def leave(self, name: str, draw: random.Random) -> None:
        content = json.dumps({"data": [LONG, "", *DRAWN]})
        asked = await self.client.post("/gradio_api/call/chat", content=content, headers=self.headers())
        if asked.status_code == 200:
            async for _ in self.events(asked.json()["event_id"]):
                break
            self.at.counts["clients that left"] += 1

    def body(self, name: str) -> tuple[str, bytes]:
        return "/gradio_api/call/chat", json.dumps({"data": [f"{name} {LONG[:400]}", "", *DRAWN]}).encode()

    def lies(self) -> Iterator[tuple[str, str, bytes, dict[str, str], tuple[int, ...]]]:
        headers, chat = self.headers("lying"), "/gradio_api/call/chat"
        yield "3 MB", chat, b"x" * 3_000_000, headers, (413,)
        yield "half a body", chat, b'{"data": ["hello"', headers, (400, 422)
        yield "another website", chat, b'{"data": []}', headers | {"origin": "http://evil.test"}, (403,)
        yield "another host", chat, b'{"data": []}', headers | {"host": "evil.test"}, (403,)

    async def lie(self, name: str, draw: random.Random) -> None:
        if draw.random() < 0.5:
            await super().lie(name, draw)
            return
        data = draw.choice(
            [
                ["hello", f"{draw.getrandbits(64):016x}", *DRAWN],
                ["hello", "", "", -1, *DRAWN[2:]],
                ["", "", *DRAWN],
            ]
        )
        asked = await self.client.post(
            "/gradio_api/call/chat", content=json.dumps({"data": data}), headers=self.headers()
        )
        if asked.status_code != 200:
            self.at.counts["lies refused"] += 1
            return
        async for event, _ in self.events(asked.json()["event_id"]):
            if event in ("complete", "error"):
                self.at.counts["lies refused" if event == "error" else f"lie believed: {data[:4]}"] += 1
