"""Export a classifier for another runtime: written, verified against the run, then moved to its folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from nlpkit.classifiers.export_record import MARKER, ExportRecord, is_export
from nlpkit.classifiers.loading import identity_of, load_export, load_model, load_run
from nlpkit.classifiers.parity import ParityRows, compare, describe, held_out, require
from nlpkit.classifiers.runtimes import EXPORTS, ClassifierRuntime
from nlpkit.classifiers.text_tokenizer import TextTokenizer
from nlpkit.errors import ConfigError, RunError
from nlpkit.files import fingerprint, sha256_of, write_whole
from nlpkit.models.label_readers import exports
from nlpkit.models.runtimes import find_runtime
from nlpkit.run import Run, versions
from nlpkit.sources import cache_folder
from nlpkit.tasks.task import text_task_from

USE = "```sh\nnlpkit score FOLDER reviews.csv -o scored.csv\n```"

Talk: TypeAlias = Callable[[str], None]


def export_run(
    run: Run,
    to: str,
    folder: Path,
    *,
    force: bool = False,
    rows: ParityRows | None = None,
    talk: Talk | None = None,
) -> Path:
    """Export a run's classifier, and verify the export on the run's held-out rows.

    Two processes that export to one folder wait for each other, and the second finds it done.

    Args:
        run: a completed run of a classifier.
        to: a row of EXPORTS, such as `onnx` for `nlpkit score`, or `merged` for a plain transformers model.
        folder: must not exist yet.
        force: keep an export that fails its parity check; its README says so.
        rows: verify on these, in place of the run's own.
        talk: gets a line with the result of the parity check.

    Returns:
        The folder.

    Raises:
        ConfigError: the folder exists and holds something else, or the exporter is not installed.
        RunError: the run cannot be exported, or the export fails its parity check.
    """
    from filelock import FileLock

    runtime = find_runtime(to, EXPORTS)
    folder.parent.mkdir(parents=True, exist_ok=True)
    locks = cache_folder() / "exports"  # not next to a folder of the user's, where it would stay
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f".{fingerprint({'folder': str(folder.absolute())})}.lock"):
        if is_export(folder):
            record = ExportRecord.read(folder)
            if (record.run, record.form) == (identity_of(run), to):
                return folder
        if folder.exists():
            raise ConfigError(f"{folder}: exists already; hint: name another folder, or delete it")
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as name:
            made = Path(name) / "export"
            made.mkdir()
            _write(run, runtime, made)
            verify(run, made, force=force, rows=rows, talk=talk)
            made.rename(folder)  # complete from its first moment
    return folder


def verify(
    run: Run, folder: Path, *, force: bool = False, rows: ParityRows | None = None, talk: Talk | None = None
) -> None:
    """Compare an export, loaded as the scorer loads it, with its run; write the result to it.

    Raises:
        RunError: it fails its parity check.
    """
    record = ExportRecord.read(folder)
    rows = rows or held_out(run)
    parity = compare(load_run(run), load_export(folder), rows, EXPORTS[record.form].limits)
    require(parity, f"{run.name} to {record.form}", force=force)
    record = record.model_copy(update={"parity": parity})
    write_whole(folder / MARKER, record.model_dump_json(indent=2) + "\n")
    failed = "".join(f"\n**Failed its parity check:** {failure}.\n" for failure in parity.failures)
    result = describe(parity)
    lines = [
        f"# {run.name}, exported to {record.form}",
        failed,
        f"Compared with the run on {result}.",
        "",
        USE,
    ]
    write_whole(folder / "README.md", "\n".join(lines) + "\n")
    if talk:
        talk(f"exported {run.name} to {record.form}: {result}")


def _write(run: Run, runtime: ClassifierRuntime, folder: Path) -> None:
    from nlpkit.models.pretrained import quiet

    write = runtime.write
    if write is None:
        raise ValueError(f"the runtime {runtime.name} has no export")
    record = run.read()
    if not exports(record, runtime.name):
        what = (
            f"a zero-shot run that reads by {record.reader.get('name')}"
            if record.reader
            else "a run that reads pictures"
            if record.vision
            else "a run whose head reads the mean of all tokens"
        )
        raise RunError(f"{run.path}: {what} cannot be exported to {runtime.name}; hint: --runtime torch")
    model, tokenizer = load_model(run)
    with quiet():
        tokenizer.save_pretrained(folder)
    write(model, folder, run.read().max_tokens)
    write_whole(folder / MARKER, _record(run, runtime, folder, tokenizer).model_dump_json(indent=2) + "\n")


def _record(run: Run, runtime: ClassifierRuntime, folder: Path, tokenizer: Any) -> ExportRecord:
    record, texts = run.read(), TextTokenizer.of(tokenizer)
    return ExportRecord(
        form=runtime.name,
        name=run.name,
        run=identity_of(run),
        task=record.task,
        max_tokens=record.max_tokens,
        before=texts.frame.before,
        after=texts.frame.after,
        pad_id=texts.pad_id,
        outputs=text_task_from(record.task).head.outputs,
        weights_sha256=sha256_of(sorted(file for file in folder.iterdir() if file.name.startswith("model"))),
        versions={**versions(), **runtime.library_version()},
    )
