"""The base of a run: found where the run says, and refused if it is not the one that it was trained on."""

from __future__ import annotations

from pathlib import Path

from nlpkit.errors import RunError
from nlpkit.models.adapter import read_adapter
from nlpkit.models.bases import find_base, source_of
from nlpkit.run import Run
from nlpkit.run_record import BaseModelIdentity, RunRecord


def find_run_base(run: Run, record: RunRecord, *, outputs: int = 0) -> Path:
    """Return the folder of a run's base, after all checks that need no model: of base, adapter and tokenizer.

    Args:
        run: completed, its files verified.
        record: what it holds.
        outputs: of the head that its adapter has to hold; 0 for a chat model.

    Raises:
        RunError: the base, the adapter or the tokenizer is not what the run was trained with.
        SourceError: the base cannot be brought here.
    """
    folder, base = find_base(source_of(record.base))
    refuse_other_base(run.path, record.base, base)
    if record.reader is None:
        read_adapter(run.adapter, outputs=outputs)
    _refuse_larger(run.tokenizer / "tokenizer.json", folder / "tokenizer.json")
    return folder


def refuse_other_base(run: Path, expected: BaseModelIdentity, actual: BaseModelIdentity) -> None:
    """Refuse a base that is not the one that a run's adapter was trained on.

    Raises:
        RunError: its weights or its tokenizer differ.
    """
    for part, trained, present in (
        ("weights", expected.weights_sha256, actual.weights_sha256),
        ("tokenizer", expected.tokenizer_sha256, actual.tokenizer_sha256),
    ):
        if trained != present:
            raise RunError(
                f"{run}: its adapter was trained on {expected.source} with {part} {trained[:12]}, "
                f"found {part} {present[:12]}; an adapter on another base gives wrong answers; "
                f"hint: restore {expected.source} as it was, or train the run again"
            )


def _refuse_larger(saved: Path, original: Path) -> None:
    """Refuse a saved tokenizer that its base's cannot have become; a vocabulary takes much memory."""
    if saved.is_file() and original.is_file():
        size, most = saved.stat().st_size, 4 * original.stat().st_size + 1_000_000
        if size > most:
            raise RunError(
                f"{saved}: {size:,} bytes; expected at most {most:,}, as its base has one of "
                f"{original.stat().st_size:,}; hint: restore the run from a copy"
            )
