"""Decide which runtime loads a run, and keep the exports that runtimes need in the user's cache."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from nlpkit.classifiers.cascade import Cascade, cascade_record
from nlpkit.classifiers.engine_runtime import load_engine
from nlpkit.classifiers.export import Talk, export_run
from nlpkit.classifiers.export_record import ExportRecord, cache_path, is_export
from nlpkit.classifiers.loading import default_run, identity_of, load_export, load_run
from nlpkit.classifiers.runtimes import AUTO, EXPORTS, FAST, REFERENCE, RUNTIMES, ClassifierRuntime
from nlpkit.classifiers.text_model import TextModel
from nlpkit.errors import ConfigError, RunError
from nlpkit.models.runtimes import find_runtime
from nlpkit.run import Run

WORTH_EXPORTING = 1_000_000
"""Bytes of input: some ten thousand short texts, more than torch scores while an export is made."""


def open_model(run: Run | Path | str | None, *, runtime: str = AUTO, threads: int | None = None) -> TextModel:
    """Load a run or an export; see `Classifier.load`.

    Raises:
        RunError: no completed run, a damaged export, or an export that fails its parity check.
        SourceError: the base of the run cannot be brought here.
        ConfigError: the runtime is unknown or not installed, or is not the one that an export was made for.
    """
    if isinstance(run, (str, Path)) and is_export(Path(run)):
        form = ExportRecord.read(Path(run)).form
        if runtime not in (AUTO, form):
            raise ConfigError(
                f"{run}: an export for {form}, not for {runtime}; hint: name the run that it was made of"
            )
        return load_export(Path(run), threads=threads)
    run = default_run() if run is None else run if isinstance(run, Run) else Run.open(run)
    record = run.read()
    if record.cascade:
        first, _, second = runtime.partition(",")
        fast, slow = (
            open_model(member, runtime=each, threads=threads)
            for member, each in zip(run.members, (first, second or first), strict=True)
        )
        return Cascade(fast, slow, cascade_record(run), name=run.name)
    if record.engine:
        if runtime != AUTO:
            raise ConfigError(f"--runtime {runtime}: a server answers for {run.path}; hint: leave it out")
        return load_engine(run)
    folder = cached_export(run, runtime)
    if folder:
        return load_export(folder, threads=threads)
    return load_run(run, runtime=REFERENCE if runtime == AUTO else runtime, threads=threads)


def cached_export(run: Run, runtime: str, *, talk: Talk | None = None) -> Path | None:
    """Return the folder of the export that a runtime needs; a named runtime's is made if needed.

    Returns:
        None for a runtime that computes with the run itself.

    Raises:
        ConfigError: the runtime is unknown or not installed.
        RunError: the run cannot be exported, or its export fails its parity check.
    """
    if runtime == AUTO:
        folder = _fast_export(run)
        return folder if folder and is_export(folder) else None
    row = find_runtime(runtime, RUNTIMES)
    if row.write is None:
        return None
    folder = export_path(run, runtime)
    return folder if is_export(folder) else export_run(run, runtime, folder, talk=talk)


def resolve_runtime(
    run: str | None,
    runtime: str,
    *,
    is_long: Callable[[int], bool],
    begun_with: Callable[[], str | None],
    talk: Talk,
) -> str:
    """Choose the runtime for a file.

    Args:
        run: a run or an export; None for the built-in classifier.
        runtime: what was asked for.
        is_long: whether the input holds at least that much text; it may have to read it to find out.
        begun_with: returns the fingerprint of the model that began the work which goes on, if there is any.
        talk: gets lines for people.

    Returns:
        For `auto`, the runtime that began the work; else FAST where the run has such an export already, or
        where one can be made and the file is long enough to gain by it; else REFERENCE. Any other runtime is
        returned as it is.

    Raises:
        RunError: no completed run.
    """
    if run is not None and is_export(Path(run)):
        parity = ExportRecord.read(Path(run)).parity
        for failure in parity.failures if parity else ():
            talk(f"warning: {run} was kept by --force and failed its parity check: {failure}")
        return runtime
    if runtime != AUTO:
        return runtime
    opened = Run.open(run) if run is not None else default_run()
    record = opened.read()
    if record.cascade:
        for member in opened.members:
            resolve_runtime(str(member), runtime, is_long=is_long, begun_with=begun_with, talk=talk)
    if record.engine or record.cascade or record.vision:
        return runtime
    if (begun := (begun_with() or "").partition(" ")[0]) in RUNTIMES:
        talk(f"runtime: {begun}, with which the work began")
        return begun
    folder = _fast_export(opened)
    if folder is not None and is_export(folder):
        return FAST
    row = EXPORTS[FAST]
    if (row.cpu_only and _has_gpu()) or not is_long(WORTH_EXPORTING):
        return REFERENCE
    if folder is None or (row.exporter and importlib.util.find_spec(row.exporter) is None):
        talk(
            "runtime: torch; ONNX Runtime would take about half the time; "
            f"hint: pip install 'nlpkit[{row.extra}]'"
        )
        return REFERENCE
    talk(f"exporting {opened.name} to {FAST}, once: it takes about half the time of torch from then on")
    try:
        cached_export(opened, FAST, talk=talk)
    except RunError as error:
        talk(f"runtime: torch, because the export failed: {error}")
        return REFERENCE
    return FAST


def export_path(run: Run, form: str) -> Path:
    """Return where this user's cache keeps an export, whether it is there or not.

    Raises:
        ConfigError: its runtime is unknown or not installed.
    """
    row = find_runtime(form, EXPORTS)
    if not row.is_installed:
        row.library()
    return _path(run, row)


def _path(run: Run, row: ClassifierRuntime) -> Path:
    return cache_path(run.name, identity_of(run), row.name, " ".join(row.library_version().values()))


def _fast_export(run: Run) -> Path | None:
    """Return where the cache keeps the export for FAST; None where this machine has no use for it."""
    row = EXPORTS[FAST]
    if not row.is_installed or (row.cpu_only and _has_gpu()):
        return None
    return _path(run, row)


def _has_gpu() -> bool:
    """Return whether torch would compute faster on a GPU; answered without importing it."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return apple or Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None
