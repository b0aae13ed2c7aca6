"""A classifier as an ONNX graph, in float32 or with its matrix products in 8 bits."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.export_traced import traced
from nlpkit.classifiers.first_token import first_token_only
from nlpkit.classifiers.onnx_runtime import EXTRA, FILE
from nlpkit.classifiers.processor import saturates
from nlpkit.errors import optional

if TYPE_CHECKING:
    import numpy as np

WEIGHTS = f"{FILE}.data"

BITS = 127
"""The largest whole number of a signed byte that has its negative."""


def write_onnx(model: Any, folder: Path, *, window: int) -> None:
    """Write a classifier as a graph: `logits` of input_ids and attention_mask, both (batch, time).

    Raises:
        ConfigError: the exporter is not installed.
        RunError: it does not know this model.
    """
    optional("onnxscript", extra=EXTRA)
    onnx_ir: Any = optional("onnx_ir", extra=EXTRA)
    from transformers.exporters import OnnxConfig, OnnxExporter

    program = traced(first_token_only(model), OnnxExporter, OnnxConfig, window=window)
    onnx_ir.save(program, folder / FILE, external_data=WEIGHTS)


def write_onnx_int8(model: Any, folder: Path, *, window: int) -> None:
    """Write the graph with 8-bit weights.

    Raises:
        ConfigError: the exporter is not installed.
        RunError: it does not know this model.
    """
    with tempfile.TemporaryDirectory() as name:
        write_onnx(model, Path(name), window=window)
        quantize(Path(name), folder)


def quantize(source: Path, target: Path) -> None:
    """Write the graph with its products by fixed matrices in 8 bits: a scale for each token and each output.

    ONNX Runtime's own dynamic quantization has one scale for all tokens of a batch: an outlier of one token
    costs all the others their precision, and a text's scores depend on its neighbors. Here each token's
    largest value sets its scale (as in ZeroQuant, Yao et al. 2022, arXiv:2206.01861). Embeddings, norms,
    attention and the head stay in float32.
    """
    onnx: Any = optional("onnx", extra=EXTRA)
    model = onnx.load(source / FILE)
    _Quantizer(model).run()
    onnx.save_model(model, target / FILE, save_as_external_data=True, location=WEIGHTS, size_threshold=1024)


class _Quantizer:
    """Rewrites one graph in place."""

    def __init__(self, model: Any) -> None:
        import numpy as np

        self._helper: Any = optional("onnx", extra=EXTRA).helper
        self._numpy: Any = optional("onnx", extra=EXTRA).numpy_helper
        self._graph = model.graph
        self._matrices = {tensor.name: tensor for tensor in self._graph.initializer if len(tensor.dims) == 2}
        self._nodes: list[Any] = []
        model.opset_import.append(self._helper.make_opsetid("com.microsoft", 1))
        self._constant("per_token_scale", np.array(1 / BITS, np.float32))
        self._constant("per_token_zero", np.array(BITS + 1, np.uint8))
        self._constant("per_token_least", np.array(1e-6, np.float32))
        self._constant("per_token_axis", np.array([-1], np.int64))

    def run(self) -> None:
        """Replace each product by a fixed matrix with one in 8 bits."""
        done: set[str] = set()
        head = self._head()
        for node in self._graph.node:
            if node.op_type != "MatMul" or node.input[1] not in self._matrices or node.output[0] in head:
                self._nodes.append(node)
                continue
            if node.input[0] not in done:  # query, key and value share theirs
                done.add(node.input[0])
                self._shrink(node.input[0])
            self._product(node)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        used = {name for node in self._nodes for name in node.input}
        kept = [tensor for tensor in self._graph.initializer if tensor.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)

    def _head(self) -> set[str]:
        """Return the values that only a sum lies between and the logits: the product of a head for tokens."""
        values = {output.name for output in self._graph.output}
        for node in reversed(self._graph.node):
            if node.op_type in ("Add", "Identity") and values & set(node.output):
                values |= set(node.input)
        return values

    def _shrink(self, values: str) -> None:
        """Turn each token's values into bytes and a scale."""
        self._add("Abs", [values], f"{values}_size")
        self._add("ReduceMax", [f"{values}_size", "per_token_axis"], f"{values}_largest", keepdims=1)
        self._add("Max", [f"{values}_largest", "per_token_least"], f"{values}_range")
        self._add("Div", [values, f"{values}_range"], f"{values}_unit")
        self._add(
            "QuantizeLinear", [f"{values}_unit", "per_token_scale", "per_token_zero"], f"{values}_bytes"
        )

    def _product(self, node: Any) -> None:
        """Multiply in 8 bits, and scale the product back."""
        import numpy as np

        values, matrix = node.input
        weights: np.ndarray = self._numpy.to_array(self._matrices[matrix])
        largest = max(1, BITS // 2) if saturates() else BITS
        scale = np.maximum(np.abs(weights).max(axis=0) / largest, 1e-12).astype(np.float32)
        rounded = np.clip(np.round(weights / scale), -largest, largest)
        self._constant(f"{matrix}_bytes", rounded.astype(np.int8))
        self._constant(f"{matrix}_scale", scale)
        self._constant(f"{matrix}_zero", np.zeros(len(scale), np.int8))
        inputs = [
            f"{values}_bytes",
            f"{matrix}_bytes",
            "per_token_scale",
            f"{matrix}_scale",
            "per_token_zero",
            f"{matrix}_zero",
        ]
        self._add("MatMulIntegerToFloat", inputs, f"{node.output[0]}_unit", domain="com.microsoft")
        self._add("Mul", [f"{node.output[0]}_unit", f"{values}_range"], node.output[0])

    def _constant(self, name: str, values: np.ndarray) -> None:
        self._graph.initializer.append(self._numpy.from_array(values, name))

    def _add(self, operation: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(self._helper.make_node(operation, inputs, [output], name=output, **attributes))
