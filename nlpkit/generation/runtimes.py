"""The table of a chat model's runtimes and exports. The choices of the command line are made from it.

To add one, write its module and add its row. The functions of a row import what they need when called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from nlpkit.generation.capacity import Capacity
from nlpkit.models.runtimes import RuntimeRow

if TYPE_CHECKING:
    from nlpkit.generation.decoder import Decoder
    from nlpkit.generation.language_model import LanguageModel

Write: TypeAlias = "Callable[[ChatRuntime, LanguageModel, Path], None]"
"""Writes the model to a new folder."""

Open: TypeAlias = "Callable[[ChatRuntime, Path, int, int | None], Decoder]"
"""Opens what was written; also takes the window in tokens and the number of threads."""


@dataclass(frozen=True, kw_only=True)
class ChatRuntime(RuntimeRow):
    """A way to run or to export a chat model."""

    write: Write | None = None
    """None: there is no export, the trained model itself is run."""
    open: Open | None = None
    is_runtime: bool = True
    """Whether `nlpkit chat` runs it; else it is an export for other programs."""
    precision: str = ""
    """Of the weights: part of the name of a cached export."""
    options: tuple[str, ...] = ()
    """For what writes it, in addition to the precision."""
    capacity: Capacity = field(default_factory=Capacity)
    min_agreement: float = 1.0
    """Share of next tokens of the trained model that an export must predict too."""
    max_difference: float = 0.0
    """How far logits may move, as a share of their standard deviation over the vocabulary.

    A broken export moves them by about all of it.
    """


def _write_genai(row: ChatRuntime, language: LanguageModel, folder: Path) -> None:
    from nlpkit.generation.genai_export import write_genai

    write_genai(language, folder, precision=row.precision, options=row.options)


def _open_genai(row: ChatRuntime, folder: Path, window: int, threads: int | None) -> Decoder:
    from nlpkit.generation.genai_decoder import GenaiDecoder

    return GenaiDecoder(row.library(), folder, window=window, threads=threads)


def _write_merged(_: ChatRuntime, language: LanguageModel, folder: Path) -> None:
    from nlpkit.generation.language_model import save_language_model

    save_language_model(language, folder)


def _open_merged(_: ChatRuntime, folder: Path, window: int, threads: int | None) -> Decoder:
    from nlpkit.generation.torch_decoder import TorchDecoder
    from nlpkit.models.pretrained import load_language_model

    return TorchDecoder(load_language_model(folder), threads=threads)


def _genai(
    name: str,
    description: str,
    precision: str,
    *,
    min_agreement: float,
    max_difference: float,
    options: tuple[str, ...] = (),
) -> ChatRuntime:
    """Return a row of ONNX Runtime GenAI."""
    return ChatRuntime(
        name=name,
        help=description,
        package="onnxruntime_genai",
        extra="onnx",
        write=_write_genai,
        open=_open_genai,
        precision=precision,
        options=options,
        # Each reply and each kept conversation holds the memory of a whole window: 100 MB for 135M parameters
        capacity=Capacity(active=2, kept=4),
        min_agreement=min_agreement,
        max_difference=max_difference,
    )


TABLE = (
    ChatRuntime(name="torch", help="the trained model itself, on a GPU or a CPU"),
    # fp32 gives the tokens of torch; in two runtimes, two tokens may be within rounding of each other.
    # smollm2-135m: 100% agreement, logits move by 0.00%
    _genai(
        "onnx",
        "ONNX Runtime, faster on a CPU with the same replies",
        "fp32",
        min_agreement=0.99,
        max_difference=1e-3,
    ),
    # smollm2-135m: 92% agreement, logits move by 7%
    _genai("onnx-int8", "with 8-bit weights, faster still", "int8", min_agreement=0.85, max_difference=0.2),
    # smollm2-135m: 73% agreement, logits move by 47%. Plain 4 bits raised its perplexity by a
    # third; scales found by k-quant, and 8 bits for sensitive layers, by a twelfth
    _genai(
        "onnx-int4",
        "with 4-bit weights, the smallest",
        "int4",
        min_agreement=0.6,
        max_difference=0.7,
        options=(
            "algo_config=k_quant",
            "is_symmetric=false",
            "matmul_mixed_precision=last_matmul:int8,mixed_layers:int8",
        ),
    ),
    ChatRuntime(
        name="merged",
        help="a plain transformers model in safetensors, for vLLM, llama.cpp's converter and others",
        write=_write_merged,
        open=_open_merged,
        is_runtime=False,
        min_agreement=0.99,
        max_difference=1e-3,
    ),
)

AUTO = "auto"
"""FAST on a CPU once its export is there; torch until then, and on a GPU."""

FAST = "onnx-int8"
"""The runtime that AUTO prefers on a CPU."""

RUNTIMES = {row.name: row for row in TABLE if row.is_runtime}
"""What `nlpkit chat --runtime` accepts next to AUTO."""

EXPORTS = {row.name: row for row in TABLE if row.write}
"""What `nlpkit export --to` accepts for a chat model."""
