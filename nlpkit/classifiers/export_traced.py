"""A classifier traced by one of transformers' exporters, for texts of any number and length."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlpkit.classifiers.first_token import first_token_only
from nlpkit.classifiers.openvino_runtime import FILE, library
from nlpkit.errors import RunError
from nlpkit.models.pretrained import quiet

MOST_TEXTS = 1 << 16
"""Texts of a batch that the graph allows."""


def traced(model: Any, exporter: Any, config: Any, *, window: int) -> Any:
    """Trace a model: `logits` of input_ids and attention_mask, both (batch, time).

    Raises:
        RunError: it does not know this model.
    """
    import torch

    shape = {0: torch.export.Dim("batch", max=MOST_TEXTS), 1: torch.export.Dim("time", max=window)}
    # Two texts of some length: a size of one would be taken for a constant
    ids = torch.full((2, 8), model.config.pad_token_id or 0, dtype=torch.long)
    sample = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    settings = config(dynamic=True, dynamic_shapes={"input_ids": shape, "attention_mask": shape})
    with quiet(), _silent():
        try:
            return exporter().export(model.float().cpu().eval(), sample, config=settings).program
        except Exception as error:  # torch.export raises whatever it trips over
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise RunError(
                f"the model {model.config.model_type} cannot be exported: {reason}; hint: --runtime torch"
            ) from error


def write_openvino(model: Any, folder: Path, *, window: int) -> None:
    """Write a transformers classifier in OpenVINO's format, its weights in float32.

    Raises:
        ConfigError: the exporter is not installed.
        RunError: it does not know this model.
    """
    openvino = library()
    from transformers.exporters import OpenVINOConfig, OpenVINOExporter

    program = traced(first_token_only(model), OpenVINOExporter, OpenVINOConfig, window=window)
    openvino.save_model(program, str(folder / FILE), compress_to_fp16=False)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Silence the exporter's prints and warnings: the parity check comes afterwards."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "transformers")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
