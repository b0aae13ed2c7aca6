"""What a processor can do, as far as the last bits of a sum depend on it."""

from __future__ import annotations

import platform
from pathlib import Path

KERNELS = frozenset(
    {
        "avx2",
        "avx512f",
        "avx512_vnni",
        "avx512_bf16",
        "avx_vnni",
        "amx_int8",
        "amx_bf16",
        "asimd",
        "asimddp",
        "i8mm",
        "bf16",
        "sve",
    }
)
"""Instructions that libraries choose their kernels by, as Linux names them."""


def instructions() -> str:
    """Return those of KERNELS that this processor has; on other systems than Linux its name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    flags = next(
        (line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))), []
    )
    return " ".join(sorted(KERNELS.intersection(flags))) or platform.machine()


def saturates() -> bool:
    """Return whether this processor adds products of bytes in 16 bits, which 8-bit weights can overflow.

    On x86 without VNNI an unsigned byte times a signed one, added pairwise, may pass 32,767: 2 * 255 * 127
    does, 2 * 255 * 63 does not. Weights are then kept in 7 bits, as by `reduce_range` of ONNX Runtime.
    """
    vnni = {"avx512_vnni", "avx_vnni"}
    return platform.machine().lower() in ("x86_64", "amd64") and vnni.isdisjoint(instructions().split())
