"""Where the base of a model lies, and which one it is."""

from __future__ import annotations

from pathlib import Path

from nlpkit.errors import RunError
from nlpkit.files import sha256_of
from nlpkit.run import Run
from nlpkit.run_record import BaseModelIdentity
from nlpkit.sources import identity, refuse_pickles, resolve

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)


def find_base(source: str) -> tuple[Path, BaseModelIdentity]:
    """Return the folder of a base model, checked to hold no code, and the identity of the model.

    A run of the recipe adapt stands for the base that it made.

    Raises:
        RunError: pickled weights, code, or no model.
        SourceError: it cannot be brought here.
    """
    folder, origin = resolve(source, kind="model"), None
    if not (folder / "config.json").is_file() and Run(folder).config.is_file():
        folder, origin = _adapted(folder)
    refuse_pickles(folder)
    if not (folder / "config.json").is_file():
        raise RunError(f"{folder}: no config.json; expected the folder of a transformers model")
    who = identity(source, folder)
    weights = sorted(folder.glob("*.safetensors"))
    tokenizer = [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
    return folder, BaseModelIdentity(
        source=who.source,
        revision=who.revision,
        weights_sha256=sha256_of(weights),
        tokenizer_sha256=sha256_of(tokenizer),
        adapted_from=origin,
    )


def _adapted(folder: Path) -> tuple[Path, BaseModelIdentity]:
    """Return the base that a completed run of the recipe adapt holds, and the one that it was made of."""
    run = Run.open(folder)
    record = run.read_verified()
    if not run.base.is_dir():
        raise RunError(
            f"{folder}: a run, which is no base to train on; hint: the base that it was trained on, "
            f"base.source={record.base.source}; or nlpkit export {folder} --to merged -o merged, and "
            "base.source=merged, to go on from what it learned"
        )
    return run.base, record.base


def source_of(base: BaseModelIdentity) -> str:
    """Return the source of a run's base; on the hub, the revision that it was trained on."""
    pinned = base.source.startswith("hub:") and base.revision and "@" not in base.source
    return f"{base.source}@{base.revision}" if pinned else base.source
