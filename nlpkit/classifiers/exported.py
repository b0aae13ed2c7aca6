"""The folder of an exported classifier: a model file, its tokenizer, and `export.json`, which says what it is and what it was proved by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from nlpkit.errors import RunError
from nlpkit.files import fingerprint
from nlpkit.run import FORMAT, in_current_format
from nlpkit.sources import cache_folder
from nlpkit.tasks.encoding import Frame

MARKER = "export.json"
"""Written last: it is there exactly when the export is whole."""

MAKING = 1
"""Raised when the same run would be exported otherwise: what an older nlpkit left in the cache is then made anew."""

Form: TypeAlias = Literal["onnx", "onnx-int8", "openvino", "openvino-bf16", "merged"]
"""What the scorer can load besides a run."""


class Parity(BaseModel):
    """How an export answered beside its original, on the same rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    source: str
    """Where the rows come from."""
    flips: float | None
    """Share of rows whose label is another; None for an intensity."""
    drift: float
    """The largest difference of a logit, or of a value."""
    accuracy: float | None
    """Of the original, where the truth is known."""
    exported_accuracy: float | None
    failures: tuple[str, ...]
    """What went beyond its limit, in words; empty where it passed."""


class Exported(BaseModel):
    """What `export.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[2] = FORMAT
    form: Form
    name: str
    run: str
    """The identity of the run that it was made of."""
    task: dict[str, Any]
    max_tokens: int
    before: tuple[int, ...]
    """Special tokens before each text."""
    after: tuple[int, ...]
    pad_id: int
    outputs: int
    weights_sha256: str
    versions: dict[str, str]
    parity: Parity | None = None
    """None while it is being proved."""

    @property
    def frame(self) -> Frame:
        """The special tokens around a text."""
        return Frame(self.before, self.after)

    @classmethod
    def read(cls, folder: Path) -> Exported:
        """That of a whole export.

        Raises:
            RunError: it is damaged.
        """
        try:
            tree = json.loads((folder / MARKER).read_text(encoding="utf-8"))
            return cls.model_validate(in_current_format(tree))
        except (OSError, ValueError, ValidationError) as error:
            raise RunError(
                f"{folder / MARKER}: cannot be read as the record of an export: {str(error).splitlines()[0]}"
            ) from None


def is_export(folder: Path) -> bool:
    """Whether a whole export lies there."""
    return (folder / MARKER).is_file()


def cache_place(name: str, identity: str, form: Form, library: str) -> Path:
    """Where the export of a run is kept for this user, whether it is there or not."""
    key = fingerprint({"run": identity, "form": form, "library": library, "making": MAKING})
    return cache_folder() / "exports" / f"{name.replace('/', '-')}-{form}-{key}"
