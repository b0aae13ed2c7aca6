"""A small server that speaks the decision protocol and OpenAI's, for tests: it answers by rule."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

POSITIVE = ("good", "great", "lovely", "fine")

Answer = Callable[[dict[str, Any]], "tuple[int, str]"]


def chance(text: str) -> float:
    """0.9 that a text with a good word is positive, else 0.2."""
    return 0.9 if any(word in text.split() for word in POSITIVE) else 0.2


def by_rule(body: dict[str, Any]) -> tuple[int, str]:
    """What a server of either protocol answers about the text of a request."""
    fields = _systemone(body) if "questions" in body else _openai(body)
    return 200, json.dumps(fields)


def _systemone(body: dict[str, Any]) -> dict[str, Any]:
    yes = chance(body["state"])
    answers: dict[str, Any] = {}
    for name, question in body["questions"].items():
        if question["type"] == "noul":
            answers[name] = {"type": "noul", "noul": yes if name == "positive" else 1 - yes}
        elif question["type"] == "choice":
            shares = {option: yes if option == "positive" else 1 - yes for option in question["criteria"]}
            answers[name] = {
                "type": "choice",
                "choice": max(shares, key=shares.__getitem__),
                "probabilities": shares,
            }
        else:
            levels = len(question["criteria"])
            shares = {str(level): 0.0 for level in range(levels)} | {"0": 1 - yes, str(levels - 1): yes}
            answers[name] = {"type": "score", "score": yes * (levels - 1), "probabilities": shares}
    return {"model": body["model"], "answers": answers, "usage": {"input_tokens": 10, "output_tokens": 0}}


def _openai(body: dict[str, Any]) -> dict[str, Any]:
    asked = body["messages"][-1]["content"]
    text = asked.splitlines()[1]
    letters = dict(re.findall(r"^([A-Z])\. (\w+)", asked, re.MULTILINE))
    yes = chance(text)
    shares = {letter: yes if name == "positive" else 1 - yes for letter, name in letters.items()}
    best = max(shares, key=shares.__getitem__)
    choice: dict[str, Any] = {"message": {"role": "assistant", "content": f"{best}."}}
    if body.get("logprobs"):
        listed = [{"token": f" {letter}", "logprob": math.log(share / 2)} for letter, share in shares.items()]
        choice["logprobs"] = {
            "content": [{"token": best, "top_logprobs": [*listed, {"token": "I", "logprob": -0.7}]}]
        }
    return {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 1}}


@dataclass
class Asked:
    """A server that is running, and what it was asked."""

    address: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    answer: Answer = by_rule


@contextmanager
def decision_server(answer: Answer = by_rule) -> Iterator[Asked]:
    """A server on a free port; its `answer` may be changed."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.bodies.append(body)
            asked.keys.append(self.headers.get("Authorization"))
            status, text = asked.answer(body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    asked = Asked(f"http://127.0.0.1:{server.server_port}/v1", answer=answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
