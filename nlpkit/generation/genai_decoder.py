"""A language model on ONNX Runtime GenAI, for speed on a CPU: exported once with its adapter merged, then loaded without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nlpkit.errors import RunError, optional
from nlpkit.files import fingerprint
from nlpkit.generation.chat_parity import ChatParity, ExportFormat, check_parity, require_parity
from nlpkit.generation.language_model import LanguageModel, save_language_model
from nlpkit.sources import cache_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Precision: TypeAlias = Literal["fp32", "int8", "int4"]
"""fp32 gives the tokens that torch gives; the others are faster and smaller. benchmarks/chat.py tells what they lose."""

EXTRA = "onnx"

PACKAGE = "onnxruntime_genai"

LONGEST_EXPORT = 1800.0
"""Seconds."""

FORMS: dict[Precision, ExportFormat] = {"fp32": "onnx", "int8": "onnx-int8", "int4": "onnx-int4"}

OPTIONS: dict[Precision, tuple[str, ...]] = {
    "fp32": (),
    "int8": (),
    # Plain 4 bits raised the perplexity of smollm2-135m by a third; scales sought by k-quant, and 8 bits for what is touchy, by a twelfth
    "int4": (
        "algo_config=k_quant",
        "is_symmetric=false",
        "matmul_mixed_precision=last_matmul:int8,mixed_layers:int8",
    ),
}
"""What the library's builder is told beside the precision."""


class GenaiDecoder:
    """Reads with an exported model. A cache is a generator, which holds the memory of a whole window from its start."""

    def __init__(self, folder: Path, *, window: int, threads: int | None = None) -> None:
        self._library: Any = optional(PACKAGE, extra=EXTRA)
        self._library.disable_telemetry_events()
        config = self._library.Config(str(folder))
        if threads:
            options = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
            config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
        self._model = self._library.Model(config)
        self._window = window

    def begin(self) -> None:
        """Nothing to do: the threads are the model's own."""

    def empty(self) -> Any:
        """A generator that has read nothing."""
        settings = self._library.GeneratorParams(self._model)
        settings.set_search_options(max_length=self._window, do_sample=False)
        return self._library.Generator(self._model, settings)

    def read(self, cache: Any, ids: Sequence[int]) -> NDArray[np.float32]:
        """The logits after these further tokens."""
        import numpy as np

        cache.append_tokens(np.array([ids], dtype=np.int32))
        found: NDArray[np.float32] = cache.get_logits()[0, -1]
        return found

    def step(self, caches: Sequence[Any], ids: Sequence[int]) -> list[NDArray[np.float32]]:
        """The logits after one further token for each cache, one after the other."""
        return [self.read(cache, [token]) for cache, token in zip(caches, ids, strict=True)]

    def cut(self, cache: Any, have: int, keep: int) -> bool:
        """Forget all but the first `keep` tokens."""
        if keep < have:
            cache.rewind_to(keep)
        return True


def exported(
    name: str, identity: dict[str, str], precision: Precision, load: Callable[[], LanguageModel],
    *, talk: Callable[[str], None] | None = None,
) -> Path:  # fmt: skip
    """The folder of a model exported for this runtime: from the cache, or made now of the model that `load` gives.

    Raises:
        ConfigError: the runtime is not installed.
        RunError: it cannot be exported, or the export says something else than the model.
    """
    library: Any = optional(PACKAGE, extra=EXTRA)
    key = fingerprint(
        {
            **identity,
            "precision": precision,
            "builder": library.__version__,
            "options": list(OPTIONS[precision]),
        }
    )
    folder = cache_folder() / "onnx" / f"{name}-{precision}-{key}"
    if folder.is_dir():
        return folder
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder.parent) as place:
                made = Path(place) / "made"
                parity = make(load(), Path(place), made, precision)
                require_parity(parity, f"{name} to {FORMS[precision]}", force=False)
                made.rename(folder)  # whole from its first moment
                if talk:
                    talk(f"exported {name} to {FORMS[precision]}: {parity.words()}")
    return folder


def make(language: LanguageModel, place: Path, made: Path, precision: Precision) -> ChatParity:
    """Build the export in `made`; the answer is how it compares with its model, read as the chat reads it.

    Raises:
        RunError: the library cannot build it.
    """
    language.model.float().cpu()
    save_language_model(language, place / "plain")
    _build(place / "plain", made, precision)
    return check_parity(
        language, made, GenaiDecoder(made, window=language.window, threads=language.threads), FORMS[precision]
    )


def _build(plain: Path, made: Path, precision: Precision) -> None:
    """The library's own builder, in a process of its own: it prints, and needs much memory."""
    arguments = [
        "-i",
        str(plain),
        "-o",
        str(made),
        "-p",
        precision,
        "-e",
        "cpu",
        "-c",
        str(made.parent / "cache"),
    ]
    arguments += ["--extra_options", *OPTIONS[precision]] if OPTIONS[precision] else []
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [sys.executable, "-m", f"{PACKAGE}.models.builder", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        timeout=LONGEST_EXPORT,
        check=False,
    )
    if done.returncode or not (made / "genai_config.json").is_file():
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RunError(f"the model cannot be exported to {PACKAGE}: {said[:300]}; cure: the runtime torch")
