"""Decide which runtime opens a run, and keep the exports that runtimes need in the user's cache."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from pathlib import Path

from nlpkit.classifiers.export import PACKAGES, Talk, _library, export_run
from nlpkit.classifiers.exported import Exported, Form, cache_place, is_export
from nlpkit.classifiers.loading import default_run, identity_of
from nlpkit.classifiers.runtime import RuntimeName
from nlpkit.errors import ConfigError, RunError
from nlpkit.run import Run

WORTH_EXPORTING = 1_000_000
"""Bytes of input: some ten thousand short texts."""


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


def place_of(run: Run, form: Form) -> Path:
    """Where this user's cache keeps the export.

    Raises:
        ConfigError: its runtime is not installed.
    """
    place = _place(run, form)
    if place is None:
        package, extra = PACKAGES[form], "openvino" if form.startswith("openvino") else "onnx"
        raise ConfigError(
            f"this needs the package {package!r}, which is not installed; cure: pip install 'nlpkit[{extra}]'"
        )
    return place


def _place(run: Run, form: Form) -> Path | None:
    """Where this user's cache keeps the export; None where its runtime is not installed."""
    library = _library(form)
    return cache_place(run.name, identity_of(run), form, " ".join(library.values())) if library else None


def _has_gpu() -> bool:
    """Whether torch would compute faster elsewhere, told without importing it, which takes seconds."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return apple or Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None
