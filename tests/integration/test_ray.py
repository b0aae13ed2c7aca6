"""Scoring on a Ray cluster: the bytes of one process, whatever is killed on the way."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nlpkit.errors import NlpkitError
from nlpkit.scoring.connecting import connected
from tests.conftest import make_cascade, sentences, write_csv

pytestmark = pytest.mark.integration

ROWS = 40_000  # 20 chunks
WORKER = "MapWorker"
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
"""Without it nobody may enter the cluster of the tests."""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("in") / "in.csv", sentences(ROWS, seed=4), ("text", "truth"))


@pytest.fixture(scope="module")
def expected(toy_run: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What one process makes."""
    target = tmp_path_factory.mktemp("whole") / "whole.csv"
    finish(start(toy_run, texts, target))
    return target.read_bytes()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of one node with two cores, in processes of its own."""
    script = (
        "import sys, ray; context = ray.init(num_cpus=2, include_dashboard=False, object_store_memory=2**28, "
        "log_to_driver=False, _temp_dir=sys.argv[1]); "
        "print(context.address_info['gcs_address'], flush=True); sys.stdin.read()"
    )
    # Not under pytest's own folder: the paths of Ray's sockets may not be long.
    folder = Path("/tmp") / f"ray-test-{os.getpid()}"
    # Not measured: a dozen of Ray's own processes would be too.
    environment = {
        name: value
        for name, value in {**os.environ, **TOKEN}.items()
        if not name.startswith("COVERAGE_PROCESS")
    }
    cluster = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
    )  # fmt: skip
    assert cluster.stdout is not None
    try:
        yield cluster.stdout.readline().strip()
    finally:
        cluster.communicate(timeout=180)
        shutil.rmtree(folder)


def start(run: Path, source: Path, target: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "nlpkit",
        "score",
        str(run),
        str(source),
        "-o",
        str(target),
        "--threads",
        "2",
        *options,
    ]
    # the same budget on both sides: measured twice it may differ, and with it the last digits
    return subprocess.Popen(
        [*command, "--budget", "512"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **TOKEN},
    )


def finish(process: subprocess.Popen[bytes]) -> tuple[bytes, str]:
    out, talk = process.communicate(timeout=300)
    assert process.returncode == 0, talk.decode()
    return out, talk.decode()


def rows_done(target: Path) -> int:
    try:
        return int(json.loads((target.with_name(target.name + ".nlpkit") / "state.json").read_text())["rows"])
    except (OSError, ValueError):
        return 0


def wait_for(ready: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.002)


def workers() -> list[int]:
    """The processes that compute."""
    import psutil

    return [
        one.pid for one in psutil.process_iter(["cmdline"]) if WORKER in " ".join(one.info["cmdline"] or ())
    ]


def test_killed_and_taken_up_again_while_workers_die_it_makes_the_bytes_of_one_process(
    toy_run: Path, texts: Path, expected: bytes, address: str, tmp_path: Path
) -> None:
    target = tmp_path / "out.csv"
    first = start(toy_run, texts, target, "--ray", address)
    wait_for(lambda: rows_done(target) >= 4096 or first.poll() is not None)
    first.kill()
    _, talk = first.communicate()
    assert first.returncode == -signal.SIGKILL, talk.decode()
    done = rows_done(target)
    assert done >= 4096

    second = start(toy_run, texts, target, "--ray", address, "--json")
    for further in (2048, 6144):
        wait_for(lambda: rows_done(target) >= done + further or second.poll() is not None)  # noqa: B023
        killed = workers()
        assert killed, second.communicate()
        os.kill(killed[0], signal.SIGKILL)
    out, talk = finish(second)
    assert json.loads(out)["resumed_from"] == done
    assert talk == "runtime: onnx, with which the work began\n"  # neither Ray's messages nor a trace
    assert target.read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_rows_alone_go_to_standard_output_and_bad_ones_to_their_file(
    toy_run: Path, address: str, tmp_path: Path
) -> None:
    rows = sentences(6000, seed=5)
    source = write_csv(tmp_path / "in.csv", [*rows[:5000], ("", "x"), *rows[5000:]], ("text", "truth"))
    skipping = ("--on-error", "skip", "--rejects", str(tmp_path / "bad.jsonl"), "--output-format", "jsonl")
    process = start(toy_run, source, Path("-"), "--ray", address, *skipping)
    out, talk = process.communicate(timeout=300)
    assert process.returncode == 5, talk.decode()
    assert [json.loads(line)["text"] for line in out.splitlines()] == [text for text, _ in rows]
    assert json.loads((tmp_path / "bad.jsonl").read_text())["row"] == 5001


def test_a_cascade_makes_the_bytes_of_one_process(
    toy_config: Path, toy_run: Path, toy_csv: Path, address: str, tmp_path: Path
) -> None:
    run = make_cascade(tmp_path, toy_config, toy_run, toy_csv)
    texts = write_csv(tmp_path / "in.csv", sentences(5000, seed=6), ("text", "truth"))
    for name, *options in (("one.csv",), ("ray.csv", "--ray", address)):
        finish(start(run, texts, tmp_path / name, "--runtime", "torch", *options))
    assert (tmp_path / "ray.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()


@pytest.mark.parametrize(
    ("address", "code", "reason"),
    [
        ("127.0.0.1:9", 1, "no Ray cluster that this machine belongs to answers at 127.0.0.1:9"),
        ("ray://127.0.0.1:10001", 2, "expected host:port"),
    ],
)
def test_an_address_that_will_not_do_is_refused(
    toy_run: Path, texts: Path, tmp_path: Path, address: str, code: int, reason: str
) -> None:
    process = start(toy_run, texts, tmp_path / "out.csv", "--ray", address)
    _, talk = process.communicate(timeout=60)
    assert (process.returncode, reason in talk.decode()) == (code, True), talk.decode()
    assert "hint:" in talk.decode()
    assert list(tmp_path.iterdir()) == []


def test_what_answers_but_is_not_ray_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            line, _ = server.accept()
            with line:
                line.recv(100)
                line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with (
            pytest.raises(NlpkitError, match="what answers there is not Ray"),
            connected(f"127.0.0.1:{server.getsockname()[1]}"),
        ):
            pass
        thread.join()
