"""A run's classifier in another form: made, proved beside the run, and only then put in its place."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from nlpkit.errors import ConfigError, RunError
from nlpkit.inference.classifier import Classifier
from nlpkit.inference.exported import MARKER, Exported, Form, cache_place, is_export
from nlpkit.inference.loading import default_run, identity_of, load_model
from nlpkit.inference.parity import LIMITS, Rows, compare, held_out, require, words
from nlpkit.inference.runtime import RuntimeName
from nlpkit.run import Run, fingerprint, sha256_of, versions, write_whole
from nlpkit.sources import cache_folder
from nlpkit.tasks.task import task_from

WORTH_EXPORTING = 1_000_000
"""Bytes of input: some ten thousand short texts."""

PACKAGES: Mapping[Form, str] = {
    "onnx": "onnxruntime", "onnx-int8": "onnxruntime", "openvino": "openvino", "openvino-bf16": "openvino",
}  # fmt: skip

USE = "```sh\nnlpkit score FOLDER reviews.csv -o scored.csv\n```"

Talk: TypeAlias = Callable[[str], None]


def kept_export(run: Run, runtime: RuntimeName, *, talk: Talk | None = None) -> Path | None:
    """The folder of the export that this runtime wants, made now if it is named and not in the cache; None for torch.

    Raises:
        ConfigError: the runtime is not installed.
        RunError: the run cannot be exported, or its export answers otherwise.
    """
    if runtime == "auto":
        kept = _place(run, "onnx")
        return kept if kept and is_export(kept) and not _has_gpu() else None
    if runtime == "torch" or runtime == "torch-bf16":
        return None
    place = place_of(run, runtime)
    if not is_export(place):
        export_run(run, runtime, place, talk=talk)
    return place


def settled(run: str | None, runtime: RuntimeName, source: str, *, talk: Talk) -> RuntimeName:
    """The runtime for a file: of `auto`, onnx where the run was exported before, or can be and the file is long enough to gain by it.

    Raises:
        RunError: no whole run.
    """
    if run is not None and is_export(Path(run)):
        parity = Exported.read(Path(run)).parity
        for failure in parity.failures if parity else ():
            talk(f"warning: {run} was kept by force and does not answer like its run: {failure}")
        return runtime
    if runtime != "auto":
        return runtime
    opened = Run.open(run) if run is not None else default_run()
    place = None if _has_gpu() else _place(opened, "onnx")
    if place is not None and is_export(place):
        return "onnx"
    if _has_gpu() or not _is_long(source):
        return "torch"
    if place is None or importlib.util.find_spec("onnxscript") is None:
        talk("by torch; ONNX Runtime would take about half the time: pip install 'nlpkit[onnx]'")
        return "torch"
    talk(f"exporting {opened.name} to onnx, once: it takes about half the time of torch from then on")
    try:
        kept_export(opened, "onnx", talk=talk)
    except RunError as error:
        talk(f"by torch: {error}")
        return "torch"
    return "onnx"


def _is_long(source: str) -> bool:
    """Whether an input is longer than what torch scores while an export is made; standard input may be."""
    path = Path(source)
    sizes = (one.stat().st_size for one in (path.rglob("*") if path.is_dir() else [path]) if one.is_file())
    return not path.exists() or sum(sizes) >= WORTH_EXPORTING


def export_run(run: Run, to: Form, folder: Path, *, force: bool = False, rows: Rows | None = None, talk: Talk | None = None) -> Path:
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
        if is_export(folder) and (found := Exported.read(folder)).run == identity_of(run) and found.form == to:
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
    from nlpkit.inference.first_token import first_token_only
    from nlpkit.models.pretrained import quiet

    model, tokenizer = load_model(run)
    with quiet():
        tokenizer.save_pretrained(folder)
    if to == "merged":
        with quiet():
            model.cpu().save_pretrained(folder, safe_serialization=True)
    elif to in ("openvino", "openvino-bf16"):
        from nlpkit.inference.export_traced import write_openvino

        write_openvino(first_token_only(model), folder, window=run.read().max_tokens)
    else:
        from nlpkit.inference.export_onnx import quantize, write_onnx

        with tempfile.TemporaryDirectory() as name:
            plain = Path(name)
            write_onnx(first_token_only(model), folder if to == "onnx" else plain, window=run.read().max_tokens)
            if to == "onnx-int8":
                quantize(plain, folder)
    write_whole(folder / MARKER, _record(run, to, folder, tokenizer).model_dump_json(indent=2) + "\n")


def _record(run: Run, to: Form, folder: Path, tokenizer: Any) -> Exported:
    from nlpkit.inference.tokenizing import Tokenizing

    record, tokenizing = run.read(), Tokenizing.of(tokenizer)
    return Exported(
        form=to, name=run.name, run=identity_of(run), task=record.task, max_tokens=record.max_tokens, temperature=record.temperature,
        before=tokenizing.frame.before, after=tokenizing.frame.after, pad_id=tokenizing.pad_id, outputs=task_from(record.task).outputs,
        weights_sha256=sha256_of(sorted(file for file in folder.iterdir() if file.name.startswith("model"))),
        versions={**versions(), **_library(to)},
    )  # fmt: skip


def prove(run: Run, folder: Path, to: Form, *, force: bool = False, rows: Rows | None = None, talk: Talk | None = None) -> None:
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


def place_of(run: Run, form: Form) -> Path:
    """Where this user's cache keeps the export.

    Raises:
        ConfigError: its runtime is not installed.
    """
    place = _place(run, form)
    if place is None:
        package, extra = PACKAGES[form], "openvino" if form.startswith("openvino") else "onnx"
        raise ConfigError(f"this needs the package {package!r}, which is not installed; cure: pip install 'nlpkit[{extra}]'")
    return place


def _place(run: Run, form: Form) -> Path | None:
    """Where this user's cache keeps the export; None where its runtime is not installed."""
    library = _library(form)
    return cache_place(run.name, identity_of(run), form, " ".join(library.values())) if library else None


def _library(form: Form) -> dict[str, str]:
    """The package that computes this form, and its version; nothing where it is not installed or torch does."""
    try:
        return {PACKAGES[form]: importlib.metadata.version(PACKAGES[form])} if form in PACKAGES else {}
    except importlib.metadata.PackageNotFoundError:
        return {}


def _has_gpu() -> bool:
    """Whether torch would compute faster elsewhere, told without importing it, which takes seconds."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return apple or Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None
