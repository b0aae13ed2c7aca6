"""The folder of an export: a model file, a tokenizer, and `export.json`, its record with its parity check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from nlpkit.classifiers.runtimes import EXPORTS
from nlpkit.errors import RunError, first_problem, nearest
from nlpkit.files import fingerprint
from nlpkit.model_files import refuse_unsafe
from nlpkit.run_record import FORMAT, in_current_format
from nlpkit.sources import cache_folder
from nlpkit.tasks.encoding import Frame

MARKER = "export.json"
"""Written last: it is there exactly when the export is complete."""

MAKING = 1
"""Raised when exports of the same run change: what an older nlpkit left in the cache is then made anew."""


class Parity(BaseModel):
    """How the answers of an export compare with those of its run, on the same rows."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True
    )

    rows: int
    source: str
    """Where the rows come from."""
    changed_labels: float | None = Field(alias="flips")  # an old name
    """Share of rows whose label changes; None for an intensity."""
    max_difference: float = Field(alias="drift")  # an old name
    """The largest difference of a logit, or of a value."""
    accuracy: float | None
    """Of the run, where the truth is known."""
    exported_accuracy: float | None
    failures: tuple[str, ...]
    """What went beyond its limit, in words; empty where it passed."""


def _known(form: str) -> str:
    if form not in EXPORTS:
        raise ValueError(f"the export {form!r} is unknown to this nlpkit{nearest(form, EXPORTS)}")
    return form


class ExportRecord(BaseModel):
    """What `export.json` holds."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    format: Literal[2] = FORMAT
    form: Annotated[str, AfterValidator(_known)]
    """A row of EXPORTS."""
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
    """None until it is verified."""

    @property
    def frame(self) -> Frame:
        """The special tokens around a text."""
        return Frame(self.before, self.after)

    @classmethod
    def read(cls, folder: Path) -> ExportRecord:
        """Read the record of a complete export.

        Raises:
            RunError: it is damaged, or a file is far too large, or a link out of the folder.
        """
        refuse_unsafe([folder], folder)
        try:
            tree = json.loads((folder / MARKER).read_text(encoding="utf-8"))
            return cls.model_validate(in_current_format(tree))
        except ValidationError as error:
            reason = first_problem(error)
        except (OSError, ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0]
        raise RunError(f"{folder / MARKER}: cannot be read as the record of an export: {reason}")


def is_export(folder: Path) -> bool:
    """Return whether a complete export lies there."""
    return (folder / MARKER).is_file()


def cache_path(name: str, identity: str, form: str, library: str) -> Path:
    """Return where the export of a run is cached for this user, whether it is there or not."""
    key = fingerprint({"run": identity, "form": form, "library": library, "making": MAKING})
    return cache_folder() / "exports" / f"{name.replace('/', '-')}-{form}-{key}"
