"""The limit of a machine: the rate of its matrix products, and the operations that a text needs.

python -m benchmarks.roofline rate THREADS     print GFLOP/s of float32 products by ONNX Runtime and by torch
python -m benchmarks.roofline work FOLDER IN   print the GFLOP of a CSV's texts with a model, without padding
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.texts import read_column
from nlpkit.errors import optional

SIDE = 2048
SECONDS = 1.5


def rate(threads: int) -> dict[str, float]:
    """Return GFLOP/s of products of square matrices by each library; the faster is the limit.

    Each thread computes one product at a time, as the scorer does.
    """
    rates = {"onnxruntime": _rate(_by_onnxruntime, threads), "torch": _rate(_by_torch, threads)}
    return {**rates, "limit": max(rates.values())}


def _rate(make: Callable[[], Callable[[], Any]], threads: int) -> float:
    products = [make() for _ in range(threads)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(3):
            started = time.perf_counter()
            done = sum(pool.map(_many, products))
            best = max(best, done * 2 * SIDE**3 / (time.perf_counter() - started) / 1e9)
    return best


def _many(product: Callable[[], Any]) -> int:
    until, count = time.perf_counter() + SECONDS, 0
    while time.perf_counter() < until:
        product()
        count += 1
    return count


def _by_torch() -> Callable[[], Any]:
    import torch

    torch.set_num_threads(1)
    left, right = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)

    def product() -> Any:
        torch.set_num_threads(1)  # torch keeps the number by thread
        return left @ right

    return product


def _by_onnxruntime() -> Callable[[], Any]:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    onnxruntime: Any = optional("onnxruntime", extra="onnx")
    matrix = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [SIDE, SIDE]) for name in ("left", "product")
    ]
    node = helper.make_node("MatMul", ["left", "right"], ["product"])
    graph = helper.make_graph(
        [node], "product", ends[:1], ends[1:], [numpy_helper.from_array(matrix, "right")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"left": matrix})


def work(folder: Path, source: Path) -> float:
    """Return the GFLOP of all products of a plain forward pass.

    Each token needs two operations for each weight of the encoder's linear layers, and those of attention.
    """
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    config, model = AutoConfig.from_pretrained(folder), AutoModel.from_pretrained(folder)
    weights = sum(
        module.weight.numel()
        for name, module in model.named_modules()
        if type(module).__name__ == "Linear" and not name.startswith("pooler")
    )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    window = min(config.max_position_embeddings, tokenizer.model_max_length)
    lengths = [
        len(ids) for ids in tokenizer(read_column(source), truncation=True, max_length=window)["input_ids"]
    ]
    attention = 4 * config.num_hidden_layers * config.hidden_size
    return float(sum(2 * weights * length + attention * length**2 for length in lengths)) / 1e9


def main() -> None:
    """Run the command line."""
    csv.field_size_limit(sys.maxsize)
    verb, *rest = sys.argv[1:]
    print(json.dumps(rate(int(rest[0])) if verb == "rate" else {"gflop": work(Path(rest[0]), Path(rest[1]))}))


if __name__ == "__main__":
    main()
