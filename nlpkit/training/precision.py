"""The precision of a training, and the reason: bf16 where the hardware has instructions for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nlpkit.models.pretrained import in_bf16

FAST_BF16 = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16"}
"""Torch's names of processor instructions for bf16 matrices; without them, bf16 is slower than fp32."""


@dataclass(frozen=True, kw_only=True)
class Precision:
    """The precision of matrix products; weights and their gradients stay in fp32."""

    bf16: bool
    why: str

    @property
    def line(self) -> str:
        """The line of the preflight."""
        return f"computed   in {'bf16' if self.bf16 else 'fp32'}: {self.why}"


def choose_precision(asked: Literal["auto", "fp32", "bf16", "fastest"]) -> Precision:
    """Return the precision for this machine."""
    import torch

    if asked != "fastest":
        return Precision(bf16=in_bf16(asked), why=f"training.precision: {asked}")
    if torch.cuda.is_available():
        return Precision(bf16=in_bf16("auto"), why="the GPU's faster one")
    if torch.backends.mps.is_available():
        return Precision(bf16=False, why="MPS gains nothing from bf16 here")
    return _for_processor(dict(torch.cpu.get_capabilities()))


def _for_processor(has: dict[str, object]) -> Precision:
    names = [name for key, name in FAST_BF16.items() if has.get(key)]
    if names:
        return Precision(bf16=True, why=f"the processor has {names[0]}")
    return Precision(bf16=False, why=f"the processor has none of {', '.join(FAST_BF16.values())}")
