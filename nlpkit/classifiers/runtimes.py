"""The table of a classifier's runtimes and exports. The choices of the command line are made from it.

To add one, write its module and add its row. The functions of a row import what they need when called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.models.runtimes import RuntimeRow
from nlpkit.tasks.answers.differences import Limits

if TYPE_CHECKING:
    from nlpkit.classifiers.runtime import Runtime

Open: TypeAlias = "Callable[[ClassifierRuntime, Any, int], Runtime]"
"""Opens an export's folder, or a run's model where there are no exports; also takes the threads."""

Write: TypeAlias = Callable[[Any, Path, int], None]
"""Writes a transformers model to a folder, in files whose names begin with "model"; also takes the window."""

AUTO = "auto"
"""FAST where the run has such an export already, or where one is worth making; else REFERENCE."""

REFERENCE = "torch"
"""The runtime that exports are compared with."""

FAST = "onnx"
"""The runtime that AUTO prefers on a CPU."""


EXACT = Limits(changed=0.0, difference=1e-3, accuracy=0.0, value=1e-3)


@dataclass(frozen=True, kw_only=True)
class ClassifierRuntime(RuntimeRow):
    """A way to run or to export a classifier."""

    open: Open
    write: Write | None = None
    """None: there is no export, the run itself is opened."""
    exporter: str | None = None
    """The module that writing needs in addition to the package."""
    limits: Limits = EXACT
    cpu_only: bool = False
    is_cached: bool = True
    """Whether `score` and `predict` make and use the export by themselves; else it is for other programs."""

    def library_version(self) -> dict[str, str]:
        """Return the package's name and version; empty where it needs none."""
        import importlib.metadata

        if self.package is None:
            return {}
        try:
            return {self.package: importlib.metadata.version(self.package)}
        except importlib.metadata.PackageNotFoundError:  # a build of another name, such as onnxruntime-gpu
            return {self.package: str(self.library().__version__)}


def _open_torch(row: ClassifierRuntime, model: Any, _: int) -> Runtime:
    from nlpkit.classifiers.torch_runtime import TorchRuntime

    return TorchRuntime(model, name=row.name)


def _open_torch_bf16(row: ClassifierRuntime, model: Any, _: int) -> Runtime:
    from nlpkit.classifiers.torch_runtime import in_bf16

    return in_bf16(model, name=row.name)


def _open_onnx(row: ClassifierRuntime, folder: Path, _: int) -> Runtime:
    from nlpkit.classifiers.onnx_runtime import OnnxRuntime

    return OnnxRuntime(folder, name=row.name)


def _write_onnx(model: Any, folder: Path, window: int) -> None:
    from nlpkit.classifiers.export_onnx import write_onnx

    write_onnx(model, folder, window=window)


def _write_onnx_int8(model: Any, folder: Path, window: int) -> None:
    from nlpkit.classifiers.export_onnx import write_onnx_int8

    write_onnx_int8(model, folder, window=window)


def _open_openvino(row: ClassifierRuntime, folder: Path, threads: int) -> Runtime:
    from nlpkit.classifiers.openvino_runtime import OpenVinoRuntime

    return OpenVinoRuntime(folder, name=row.name, threads=threads)


def _write_openvino(model: Any, folder: Path, window: int) -> None:
    from nlpkit.classifiers.export_traced import write_openvino

    write_openvino(model, folder, window=window)


def _open_merged(_: ClassifierRuntime, folder: Path, threads: int) -> Runtime:
    from nlpkit.classifiers.torch_runtime import open_merged

    return open_merged(folder)


def _write_merged(model: Any, folder: Path, _: int) -> None:
    from nlpkit.classifiers.torch_runtime import write_merged

    write_merged(model, folder)


_ONNX = partial(
    ClassifierRuntime,
    package="onnxruntime",
    extra="onnx",
    exporter="onnxscript",
    open=_open_onnx,
    cpu_only=True,
)

_OPENVINO = partial(
    ClassifierRuntime,
    package="openvino",
    extra="openvino",
    write=_write_openvino,
    open=_open_openvino,
    cpu_only=True,
)

_ROWS = (
    ClassifierRuntime(
        name="torch",
        help="the run itself, on a GPU where there is one",
        open=_open_torch,
    ),
    ClassifierRuntime(
        name="torch-bf16",
        help="the same in bfloat16",
        open=_open_torch_bf16,
    ),
    _ONNX(
        name="onnx",
        help="ONNX Runtime on a CPU: about twice as fast as torch, equal labels",
        write=_write_onnx,
    ),
    _ONNX(
        name="onnx-int8",
        help="ONNX Runtime with 8-bit weights: faster still, some labels in a thousand differ",
        write=_write_onnx_int8,
        limits=Limits(changed=0.025, difference=None, accuracy=0.003, value=0.05),
    ),
    _OPENVINO(name="openvino", help="OpenVINO on a CPU: about twice as fast as torch, equal labels"),
    _OPENVINO(
        name="openvino-bf16",
        help="OpenVINO in bfloat16 if the processor has it: faster still, some labels in a thousand differ",
        limits=Limits(changed=0.01, difference=None, accuracy=0.003, value=0.02),
    ),
    ClassifierRuntime(
        name="merged",
        help="a plain transformers model in safetensors, its adapter merged, for other programs",
        write=_write_merged,
        open=_open_merged,
        is_cached=False,
    ),
)

RUNTIMES: Mapping[str, ClassifierRuntime] = {row.name: row for row in _ROWS if row.is_cached}
"""What `--runtime` offers next to AUTO."""

EXPORTS: Mapping[str, ClassifierRuntime] = {row.name: row for row in _ROWS if row.write}
"""What `nlpkit export --to` offers."""
