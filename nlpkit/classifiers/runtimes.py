"""The table of runtimes. A new one is a module and a row here: the command line, exports and `Classifier.load` read the row."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.models.runtimes import RuntimeRow
from nlpkit.tasks.answers.family import Limits

if TYPE_CHECKING:
    from nlpkit.classifiers.runtime import Runtime

AUTO = "auto"
"""FAST where the run has such an export already, or where one is worth making; else REFERENCE."""

REFERENCE = "torch"
"""The runtime that exports are compared with."""

FAST = "onnx"
"""The runtime that AUTO prefers on a CPU."""


EXACT = Limits(changed=0.0, difference=1e-3, accuracy=0.0, value=1e-3)


@dataclass(frozen=True, kw_only=True)
class ClassifierRuntime(RuntimeRow):
    """A row. Functions are named as `module:function` and imported when they are called."""

    open: str
    """Called as `open(source, name=..., threads=...)`, returns a Runtime. The source is the export's folder, or, for a runtime
    without exports, the run's model."""
    write: str | None = None
    """Called as `write(model, folder, window=...)`, writes the export's model files, whose names begin with "model"; None: no export."""
    exporter: str | None = None
    """The module that writing needs besides the package."""
    limits: Limits = EXACT
    cpu_only: bool = False
    is_cached: bool = True
    """Whether `score` and `predict` make and use the export by themselves; else it is for other programs."""

    def open_source(self, source: Any, *, threads: int) -> Runtime:
        """Return the runtime, ready to compute.

        Args:
            source: an export's folder, or the transformers model of a run.
            threads: processor threads that it may use.

        Raises:
            ConfigError: its package is not installed.
            RunError: the export is damaged.
        """
        runtime: Runtime = _function(self.open)(source, name=self.name, threads=threads)
        return runtime

    def write_export(self, model: Any, folder: Path, *, window: int) -> None:
        """Write the model files of an export into a folder.

        Raises:
            ConfigError: a package is not installed.
            RunError: the exporter does not know this model.
        """
        if self.write is None:
            raise ValueError(f"the runtime {self.name} has no export")
        _function(self.write)(model, folder, window=window)

    def library_version(self) -> dict[str, str]:
        """Return the package's name and version; empty where it needs none."""
        if self.package is None:
            return {}
        try:
            return {self.package: importlib.metadata.version(self.package)}
        except importlib.metadata.PackageNotFoundError:  # a build of another name, such as onnxruntime-gpu
            return {self.package: str(self.library().__version__)}


_ONNX = partial(
    ClassifierRuntime,
    package="onnxruntime",
    extra="onnx",
    exporter="onnxscript",
    open="nlpkit.classifiers.onnx_runtime:OnnxRuntime",
    cpu_only=True,
)

_OPENVINO = partial(
    ClassifierRuntime,
    package="openvino",
    extra="openvino",
    write="nlpkit.classifiers.export_traced:write_openvino",
    open="nlpkit.classifiers.openvino_runtime:OpenVinoRuntime",
    cpu_only=True,
)

_ROWS = (
    ClassifierRuntime(
        name="torch",
        help="the run itself, on a GPU where there is one",
        open="nlpkit.classifiers.torch_runtime:open_model",
    ),
    ClassifierRuntime(
        name="torch-bf16",
        help="the same in bfloat16",
        open="nlpkit.classifiers.torch_runtime:open_model_in_bf16",
    ),
    _ONNX(
        name="onnx",
        help="ONNX Runtime on a CPU: about twice as fast as torch, equal labels",
        write="nlpkit.classifiers.export_onnx:write_onnx",
    ),
    _ONNX(
        name="onnx-int8",
        help="ONNX Runtime with 8-bit weights: faster still, some labels in a thousand differ",
        write="nlpkit.classifiers.export_onnx:write_onnx_int8",
        limits=Limits(changed=0.025, difference=None, accuracy=0.003, value=0.05),
    ),
    _OPENVINO(name="openvino", help="OpenVINO on a CPU: about twice as fast as torch, equal labels"),
    _OPENVINO(
        name="openvino-bf16",
        help="OpenVINO in bfloat16, where the processor has it: faster still, some labels in a thousand differ",
        limits=Limits(changed=0.01, difference=None, accuracy=0.003, value=0.02),
    ),
    ClassifierRuntime(
        name="merged",
        help="a plain transformers model in safetensors, its adapter merged, for other programs",
        write="nlpkit.classifiers.torch_runtime:write_merged",
        open="nlpkit.classifiers.torch_runtime:open_merged",
        is_cached=False,
    ),
)

RUNTIMES: Mapping[str, ClassifierRuntime] = {row.name: row for row in _ROWS if row.is_cached}
"""What `--runtime` offers next to AUTO."""

EXPORTS: Mapping[str, ClassifierRuntime] = {row.name: row for row in _ROWS if row.write}
"""What `nlpkit export --to` offers."""


def _function(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
