"""A run's classifier in another form: made, proved beside the run, and only then put in its place."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.exported import MARKER, Exported, Form, is_export
from nlpkit.classifiers.loading import identity_of, load_model
from nlpkit.classifiers.parity import LIMITS, Rows, compare, held_out, require, words
from nlpkit.errors import ConfigError
from nlpkit.files import fingerprint, sha256_of, write_whole
from nlpkit.run import Run, versions
from nlpkit.sources import cache_folder
from nlpkit.tasks.task import text_task_from

PACKAGES: Mapping[Form, str] = {
    "onnx": "onnxruntime", "onnx-int8": "onnxruntime", "openvino": "openvino", "openvino-bf16": "openvino",
}  # fmt: skip

USE = "```sh\nnlpkit score FOLDER reviews.csv -o scored.csv\n```"

Talk: TypeAlias = Callable[[str], None]


def export_run(
    run: Run,
    to: Form,
    folder: Path,
    *,
    force: bool = False,
    rows: Rows | None = None,
    talk: Talk | None = None,
) -> Path:
    """The folder, once it holds the run's classifier in this form, proved on the run's held-out rows.

    Two processes that export to one folder wait for each other, and the second finds it done.

    Args:
        run: a whole sentiment run.
        to: `onnx` and `onnx-int8` are for `nlpkit score`; `merged` is a plain transformers model, its adapter merged.
        folder: must not be there.
        force: keep an export that answers otherwise, with that on its label.
        rows: what to prove it on, in place of the run's own.
        talk: gets a line on what was found.

    Raises:
        ConfigError: the folder is there and is something else, or the exporter is not installed.
        RunError: the run cannot be exported, or answers otherwise.
    """
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    locks = cache_folder() / "exports"  # not beside a folder of the user's, where it would stay
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f".{fingerprint({'folder': str(folder.absolute())})}.lock"):
        if (
            is_export(folder)
            and (found := Exported.read(folder)).run == identity_of(run)
            and found.form == to
        ):
            return folder
        if folder.exists():
            raise ConfigError(f"{folder}: is there already; cure: another folder, or delete it")
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as name:
            made = Path(name) / "export"
            made.mkdir()
            _make(run, to, made)
            prove(run, made, to, force=force, rows=rows, talk=talk)
            made.rename(folder)  # whole from its first moment
    return folder


def _make(run: Run, to: Form, folder: Path) -> None:
    from nlpkit.classifiers.first_token import first_token_only
    from nlpkit.models.pretrained import quiet

    model, tokenizer = load_model(run)
    with quiet():
        tokenizer.save_pretrained(folder)
    if to == "merged":
        with quiet():
            model.cpu().save_pretrained(folder, safe_serialization=True)
    elif to in ("openvino", "openvino-bf16"):
        from nlpkit.classifiers.export_traced import write_openvino

        write_openvino(first_token_only(model), folder, window=run.read().max_tokens)
    else:
        from nlpkit.classifiers.export_onnx import quantize, write_onnx

        with tempfile.TemporaryDirectory() as name:
            plain = Path(name)
            write_onnx(
                first_token_only(model), folder if to == "onnx" else plain, window=run.read().max_tokens
            )
            if to == "onnx-int8":
                quantize(plain, folder)
    write_whole(folder / MARKER, _record(run, to, folder, tokenizer).model_dump_json(indent=2) + "\n")


def _record(run: Run, to: Form, folder: Path, tokenizer: Any) -> Exported:
    from nlpkit.classifiers.tokenizing import Tokenizing

    record, tokenizing = run.read(), Tokenizing.of(tokenizer)
    return Exported(
        form=to,
        name=run.name,
        run=identity_of(run),
        task=record.task,
        max_tokens=record.max_tokens,
        before=tokenizing.frame.before,
        after=tokenizing.frame.after,
        pad_id=tokenizing.pad_id,
        outputs=text_task_from(record.task).head.outputs,
        weights_sha256=sha256_of(sorted(file for file in folder.iterdir() if file.name.startswith("model"))),
        versions={**versions(), **_library(to)},
    )


def prove(
    run: Run,
    folder: Path,
    to: Form,
    *,
    force: bool = False,
    rows: Rows | None = None,
    talk: Talk | None = None,
) -> None:
    """Compare what lies in the folder, read as the scorer reads it, with the run; note what was found on its label and its card.

    Raises:
        RunError: it answers otherwise than the run.
    """
    rows = rows or held_out(run)
    parity = compare(Classifier.load(run, runtime="torch"), Classifier.of_export(folder), rows, LIMITS[to])
    require(parity, f"{run.name} to {to}", force=force)
    record = Exported.read(folder).model_copy(update={"parity": parity})
    write_whole(folder / MARKER, record.model_dump_json(indent=2) + "\n")
    failed = "".join(f"\n**Not like its run:** {failure}.\n" for failure in parity.failures)
    lines = [f"# {run.name}, exported to {to}", failed, f"Proved beside the run on {words(parity)}.", "", USE]
    write_whole(folder / "README.md", "\n".join(lines) + "\n")
    if talk:
        talk(f"exported {run.name} to {to}: {words(parity)}")


def _library(form: Form) -> dict[str, str]:
    """The package that computes this form, and its version; nothing where it is not installed or torch does."""
    try:
        return {PACKAGES[form]: importlib.metadata.version(PACKAGES[form])} if form in PACKAGES else {}
    except importlib.metadata.PackageNotFoundError:
        return {}
