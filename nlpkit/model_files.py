"""Check the files of a run or a model, which somebody else may have made, before a library opens them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from nlpkit.errors import RunError

MEGABYTE = 1_000_000

VOCABULARIES = frozenset(
    {
        *("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"),
        *("vocab.txt", "vocab.json", "merges.txt"),
    }
)
VOCABULARY_BYTES = 48 * MEGABYTE
"""The largest vocabularies in use, of 256,000 tokens, take 35 MB; each byte takes twenty in memory."""

ADAPTER = "adapter_model.safetensors"
ADAPTER_BYTES = 4000 * MEGABYTE

SETTINGS_BYTES = 16 * MEGABYTE
"""Of any other JSON file that is read, and of a chat template."""

HEADER_BYTES = 10 * MEGABYTE
"""The JSON at the start of a safetensors file."""

AGAIN = "hint: fetch or copy it again"


def refuse_unsafe(paths: Iterable[Path], root: Path) -> None:
    """Refuse files, and those in folders, that are links out of `root`, no regular files, or far too large.

    Raises:
        RunError: naming the file, with a hint.
    """
    for path in files_in(paths):
        _check_link(path, root)
        if not path.is_dir():
            _check_size(path)


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files of paths that exist, and links, also those to folders or to nothing."""
    for path in paths:
        if path.is_symlink():
            yield path
        if path.is_dir():
            inner = (child for child in sorted(path.rglob("*")) if child.is_symlink() or not child.is_dir())
            yield from inner
        elif path.exists() and not path.is_symlink():
            yield path


def _check_link(path: Path, root: Path) -> None:
    if not path.is_symlink():
        return
    try:
        target = path.resolve()
    except RuntimeError:
        raise RunError(f"{path}: is a link that leads back to itself; {AGAIN}") from None
    if not target.is_relative_to(root.resolve()) and not _is_blob(target, root):
        raise RunError(f"{path}: is a link to {target}, outside of {root}; hint: put a copy of it there")
    if not target.exists():
        raise RunError(f"{path}: is a link to {target}, which is not there; {AGAIN}")


def _is_blob(target: Path, folder: Path) -> bool:
    """Return whether it is a file of the same repository in the hub's cache, whose snapshots are links."""
    # models--org--name/snapshots/<commit>/file -> models--org--name/blobs/<hash>
    for parent in (folder.resolve(), *folder.resolve().parents):
        if parent.name == "snapshots":
            return target.is_relative_to(parent.parent / "blobs")
    return False


def _check_size(path: Path) -> None:
    if not path.is_file():
        raise RunError(f"{path}: is no regular file; hint: put a copy of the file there")
    size, most = path.stat().st_size, _most_bytes(path)
    if most is not None and size > most:
        raise RunError(f"{path}: {size:,} bytes; expected at most {most:,}; {AGAIN}")
    if path.suffix == ".safetensors":
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
        if size >= 8 and HEADER_BYTES < length <= size:
            raise RunError(
                f"{path}: a header of {length:,} bytes; expected at most {HEADER_BYTES:,}; {AGAIN}"
            )


def _most_bytes(path: Path) -> int | None:
    """Return the limit for a file's size; None for weights, and for what nothing reads."""
    if path.name in VOCABULARIES:
        return VOCABULARY_BYTES
    if path.name == ADAPTER:
        return ADAPTER_BYTES
    read = path.suffix == ".json" and path.name != "trainer_state.json"
    return SETTINGS_BYTES if read or path.suffix in (".jinja", ".yaml") else None
