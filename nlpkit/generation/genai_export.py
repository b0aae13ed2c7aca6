"""Write a language model, its adapter merged, for ONNX Runtime GenAI."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nlpkit.errors import RunError
from nlpkit.generation.language_model import LanguageModel, save_language_model

BUILDER = "onnxruntime_genai.models.builder"

TIMEOUT = 1800.0
"""Seconds that the builder may take."""


def write_genai(language: LanguageModel, folder: Path, *, precision: str, options: Sequence[str]) -> None:
    """Write the model to a folder, by the library's own builder.

    The builder runs in a process of its own, since it prints and needs much memory.

    Args:
        language: moved to the CPU in float32.
        folder: is created.
        precision: fp32, int8 or int4.
        options: for the builder, as `key=value`.

    Raises:
        RunError: the builder fails.
    """
    language.model.float().cpu()
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        plain = Path(scratch) / "plain"
        save_language_model(language, plain)
        arguments = ["-i", plain, "-o", folder, "-p", precision, "-e", "cpu", "-c", Path(scratch) / "cache"]
        process = subprocess.run(
            [
                sys.executable,
                "-m",
                BUILDER,
                *map(str, arguments),
                *(["--extra_options", *options] if options else []),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
            timeout=TIMEOUT,
            check=False,
        )
    if process.returncode or not (folder / "genai_config.json").is_file():
        last_line = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise RunError(
            f"the model cannot be exported to onnxruntime_genai: {last_line[:300]}; "
            "hint: use the runtime torch"
        )
