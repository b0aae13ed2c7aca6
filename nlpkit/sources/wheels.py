"""Wheels: fetched by pip, verified, and opened as archives. Nothing in them is installed or run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from nlpkit.errors import SourceError
from nlpkit.sources.entry import Wheel

Progress = Callable[[int, int | None], None]

_BLOCK = 1 << 20
_POLL = 0.2


def download(wheel: Wheel, folder: Path, progress: Callable[[int], None]) -> Path:
    """Fetch a wheel into `folder` with the user's own pip configuration, and verify it.

    `progress` gets the bytes so far.

    Raises:
        SourceError: pip could not bring it, or it is not the wheel that was pinned.
    """
    folder.mkdir(parents=True)
    _run_pip(wheel, folder, progress)
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise SourceError(f"{wheel.requirement}: pip brought {len(wheels)} wheels, expected one")
    actual = digest(wheels[0])
    if actual != wheel.sha256:
        raise SourceError(
            f"{wheel.requirement}: {wheels[0].name} has SHA-256 {actual}, expected {wheel.sha256}; "
            "the package index gave another file than the one that was checked, so it was not used"
        )
    return wheels[0]


def _run_pip(wheel: Wheel, folder: Path, progress: Callable[[int], None]) -> None:
    scratch = folder / "scratch"
    scratch.mkdir()
    # -P: a pip.py in the current folder must not run. Only wheels: a source package would run its setup
    command = [
        sys.executable,
        "-P",
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--no-input",
    ]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "-d", str(folder), wheel.requirement]
    if wheel.platform:
        command += ["--platform", wheel.platform]
    # pip's own temporary files stand in our folder: there they can be counted, and they go away with it.
    environment = {**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    log = folder / "pip.log"
    with (
        log.open("wb") as out,
        _stopped(
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment
            )
        ) as process,
    ):
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_POLL)
                break
            progress(min(_bytes_in(folder), wheel.size))
    if process.returncode:
        raise SourceError(f"{wheel.requirement}: pip could not download it: {_last_words(log)}")
    shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def _stopped(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End the process with the block, also when Ctrl-C leaves it."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _bytes_in(folder: Path) -> int:
    total = 0
    # pip renames and removes files and folders while they are counted; os.walk passes over what is gone
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(parent, name).stat().st_size
    return total


def _last_words(log: Path) -> str:
    lines = [
        line.strip()
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    words = " ".join(errors[-2:]) or "it gave no reason"
    return words if len(words) <= 400 else words[:400] + " ..."


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def take(archive: Path, members: tuple[str, ...], folder: Path) -> list[Path]:
    """Take members out of a zip archive into `folder`, and return their paths in the order asked for.

    The archive chooses neither names nor places: a file gets the last piece of the name that was asked for.

    Raises:
        SourceError: the archive is broken, or a member is missing or there twice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            return [_take_one(opened, member, folder) for member in members]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise SourceError(
            f"{archive.name}: not a readable archive ({error}); expected a wheel or a zip file"
        ) from error


def _take_one(opened: zipfile.ZipFile, member: str, folder: Path) -> Path:
    listed = [info for info in opened.infolist() if info.filename == member]
    if len(listed) != 1:
        raise SourceError(f"{opened.filename}: holds {member!r} {len(listed)} times, expected once")
    target = folder / member.rsplit("/", 1)[-1]
    with opened.open(listed[0]) as source, target.open("xb") as out:
        shutil.copyfileobj(source, out, _BLOCK)
    return target
