"""Which texts a run was trained on, as hashes: enough to find a text again, not to read one.

A text is hashed as `near.normalized` has it: case, punctuation and spaces do not count.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlpkit.data.near import normalized
from nlpkit.errors import RunError
from nlpkit.files import sha256_of
from nlpkit.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

BYTES = 8
"""The first bytes of a SHA-256: among ten million texts, one new text in 10**12 is taken for a known one."""


def keep_hashes(run: Run, texts: Iterable[str] | None, parent: Run | None = None) -> None:
    """Write the hashes of the texts that a run was trained on, and of those of the run that it started from.

    Nothing is kept without texts, or where it is not known what the parent was trained on.
    """
    inherited = _read(parent) if parent else b""
    if texts is None or inherited is None:
        run.text_hashes.unlink(missing_ok=True)  # of a training that was killed
        return
    hashes = {_hash(text) for text in texts}
    hashes.update(inherited[start : start + BYTES] for start in range(0, len(inherited), BYTES))
    draft = run.text_hashes.with_name(f".{run.text_hashes.name}.{os.getpid()}")
    with draft.open("wb") as stream:
        stream.write(b"".join(sorted(hashes)))
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(run.text_hashes)


@dataclass(frozen=True, eq=False)
class KnownTexts:
    """Texts by their hashes alone."""

    numbers: NDArray[Any]

    @classmethod
    def of(cls, texts: Iterable[str]) -> KnownTexts:
        """Return the hashes of texts."""
        return cls(_numbers(b"".join(map(_hash, texts))))

    @classmethod
    def of_run(cls, run: Run) -> KnownTexts | None:
        """Return the texts that a run was trained on; None where it keeps no hashes of them.

        Raises:
            RunError: the hashes are not those that the training wrote.
        """
        kept = _read(run)
        return None if kept is None else cls(_numbers(kept))

    def holds(self, texts: Iterable[str]) -> NDArray[Any]:
        """Return (texts,): whether each is among them."""
        import numpy as np

        return np.isin(_numbers(b"".join(map(_hash, texts))), self.numbers)


def count_trained_on(run: Run, texts: Iterable[str]) -> int | None:
    """Return how many of the texts a run was trained on; None where it keeps no hashes of them.

    Raises:
        RunError: the hashes are not those that the training wrote.
    """
    known = KnownTexts.of_run(run)
    return None if known is None else int(known.holds(texts).sum())


def _hash(text: str) -> bytes:
    return hashlib.sha256(normalized(text).encode("utf-8", "backslashreplace")).digest()[:BYTES]


def _read(run: Run) -> bytes | None:
    path = run.text_hashes
    if not path.is_file():
        return None
    if run.read().files.get(path.name) != sha256_of([path]):
        raise RunError(
            f"{path}: has changed since training; hint: delete it, and evaluations say that it is not known "
            "which rows were trained on"
        )
    return path.read_bytes()


def _numbers(hashes: bytes) -> NDArray[Any]:
    import numpy as np

    return np.frombuffer(hashes, dtype=">u8")
