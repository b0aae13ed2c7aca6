"""The controls of the sampling settings, and the settings that they send."""

from __future__ import annotations

from typing import Any

import gradio as gr

from nlpkit.generation.sampling import Sampling


def lay_out_sampling() -> list[Any]:
    """Lay out the controls, in the order of the fields of Sampling."""
    default = Sampling()
    with gr.Accordion("Sampling settings", open=False, elem_id="sampling"):
        temperature = gr.Slider(
            0,
            2,
            default.temperature,
            step=0.05,
            label="Temperature",
            info="0 always takes the most likely token",
        )
        top_p = gr.Slider(
            0.05,
            1,
            default.top_p,
            step=0.05,
            label="Top p",
            info="Total probability of the tokens to sample from",
        )
        top_k = gr.Slider(
            0,
            1000,
            default.top_k,
            step=1,
            label="Top k",
            info="Number of the most likely tokens to sample from; 0: all",
        )
        penalty = gr.Slider(1, 2, default.repetition_penalty, step=0.05, label="Repetition penalty")
        length = gr.Slider(
            1,
            4096,
            default.max_new_tokens,
            step=1,
            label="Maximum length",
            info="In tokens, about 3/4 of a word each",
        )
        seed = gr.Textbox(
            "",
            label="Seed",
            info="The same number gives the same reply again; empty: a new one each time",
            max_length=20,
        )
    return [temperature, top_p, top_k, penalty, length, seed]


def sampling_of(temperature: Any, top_p: Any, top_k: Any, penalty: Any, length: Any, seed: Any) -> Sampling:
    """Return the sampling settings of the controls.

    Raises:
        ConfigError: a value is not a number or is out of range.
    """
    text = str(seed).strip() if seed is not None else ""
    return Sampling.of(
        {
            "temperature": _real(temperature),
            "top_p": _real(top_p),
            "top_k": _whole(top_k),
            "repetition_penalty": _real(penalty),
            "max_new_tokens": _whole(length),
            "seed": (int(text) if text.isascii() and text.isdigit() else text) if text else None,
        }
    )


def _real(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
