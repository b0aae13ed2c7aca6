"""The logits of a teacher for every text: computed once, chunk by chunk, kept on disk so that a killed
labeling resumes.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.first_token import READ_FIRST, reads_first_token
from nlpkit.classifiers.loading import load_model
from nlpkit.classifiers.text_tokenizer import TextTokenizer
from nlpkit.data.examples import TextInput
from nlpkit.errors import ConfigError, RunError
from nlpkit.files import fingerprint, room_left, sha256_of, write_whole
from nlpkit.generation.decision_server import naming_rows
from nlpkit.models.batching import batches
from nlpkit.models.pretrained import in_bf16, pick_device
from nlpkit.run import Run
from nlpkit.run_record import RunRecord
from nlpkit.tasks.task import TextTask, text_task_from
from nlpkit.training.runs import TrainOptions, is_main_process

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 2048
"""Texts that are labeled and written together: what a kill costs, and what is held in memory at once."""

BUDGET = {"cpu": 512, "cuda": 65_536}
"""Tokens in a batch."""


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A completed run whose answers are learned."""

    run: Run
    record: RunRecord
    task: TextTask

    @property
    def identity(self) -> dict[str, str]:
        """Which run it is, for the student's record."""
        answering = [self.run.marker] if self.record.engine else self.run.adapter.glob("*.safetensors")
        return {"run": str(self.run.path), "adapter_sha256": sha256_of(sorted(answering))}

    def saw(self, hashes: dict[str, str]) -> bool:
        """Tell whether it may have been trained on what is held out now: some part is none that was held
        out from it.
        """
        theirs = self.record.data.get("sha256", {})
        apart = {theirs.get(name) for name in ("validation", "test")}
        return any(hashes[name] not in apart for name in ("validation", "test") if name in hashes)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The teacher's answer for each text, read from disk as it is needed."""

    logits: NDArray[Any]
    """(texts, labels)"""
    states: NDArray[Any] | None
    """(texts, size): what its last layer makes of the first token, which its head reads; None where it is
    not needed."""

    @property
    def size(self) -> int | None:
        """Numbers in one state."""
        return None if self.states is None else int(self.states.shape[1])


def open_teacher(path: Path) -> Teacher:
    """Open the run that teaches.

    Raises:
        RunError: no completed run, or one without labels.
    """
    run = Run.open(path)
    record = run.read()
    task = text_task_from(record.task)
    if not task.family.distillable:
        raise RunError(
            f"{path}: a run of the task {task.kind!r}; expected a teacher that answers with labels"
        )
    return Teacher(run=run, record=record, task=task)


def label_texts(
    teacher: Teacher,
    texts: Sequence[str],
    folder: Path,
    *,
    states: bool,
    precision: Literal["auto", "fp32", "bf16", "int8"],
    options: TrainOptions,
) -> Answers:
    """Compute the teacher's answer for each text; what the folder holds already is reused.

    A text is cut to what the teacher reads at once, but a server or 8 bits answer for it whole, in windows.

    Raises:
        RunError: its base, tokenizer or adapter is not the one that it was trained with.
        ConfigError: states are asked of a model whose head does not read the first token, of a server, or in
            8 bits; or ONNX Runtime is not installed for these.
        DecisionError: a server that answers for it does not, or with something else.
    """
    import numpy as np

    whole = bool(teacher.record.engine) or precision == "int8"
    half = precision != "int8" and in_bf16(precision)
    parts = {"adapter": teacher.identity["adapter_sha256"], "bf16": half, "states": states, "chunk": CHUNK}
    if precision == "int8":
        parts["precision"] = precision
    wanted = fingerprint(
        {**parts, "texts": fingerprint({"texts": list(texts)}), "device": str(pick_device())}
    )
    done = _done(folder, wanted)
    if done:
        options.talk(f"{done:,} of {len(texts):,} texts are labeled already")
    if not is_main_process():
        _wait(folder, wanted, len(texts))
    elif done < len(texts):
        model = _Served(teacher, precision, states=states) if whole else _Model(teacher, states, half)
        files = _files(
            folder, len(texts), teacher.task.head.outputs, model.size if states else None, fresh=not done
        )
        for start in range(done, len(texts), CHUNK):
            chunk = texts[start : start + CHUNK]
            state = {"fingerprint": wanted, "texts": start + len(chunk)}
            with room_left(folder):
                with naming_rows((text, f"text {start + at:,}") for at, text in enumerate(chunk, 1)):
                    answered = model(chunk)
                for file, values in zip(files, answered, strict=False):
                    file[start : start + len(chunk)] = values
                    file.flush()
                write_whole(folder / "done.json", json.dumps(state))
            options.count(start + len(chunk), len(texts))
    logits = np.load(folder / "logits.npy", mmap_mode="r")
    return Answers(logits=logits, states=np.load(folder / "states.npy", mmap_mode="r") if states else None)


def _done(folder: Path, wanted: str) -> int:
    """Count the texts that the folder holds answers for; answers to other questions are none."""
    try:
        done = json.loads((folder / "done.json").read_text(encoding="utf-8"))
        return int(done["texts"]) if done["fingerprint"] == wanted else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _wait(folder: Path, wanted: str, texts: int) -> None:
    """Return once the first of the processes that train together has labeled all: what it writes, the
    others read.
    """
    while _done(folder, wanted) < texts:
        time.sleep(0.2)


def _files(folder: Path, rows: int, labels: int, size: int | None, *, fresh: bool) -> list[Any]:
    """Open the arrays on disk that answers are written into."""
    from numpy.lib.format import open_memmap

    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    shapes = {"logits": ("float32", labels), "states": ("float16", size)}
    return [
        open_memmap(folder / f"{name}.npy", mode="w+", dtype=kind, shape=(rows, width))
        if fresh
        else open_memmap(folder / f"{name}.npy", mode="r+")
        for name, (kind, width) in shapes.items()
        if width
    ]


class _Served:
    """A teacher as it is served, by a server or in 8 bits by ONNX Runtime: texts in, logits out."""

    size = None

    def __init__(self, teacher: Teacher, precision: str, *, states: bool) -> None:
        if states:
            who = "a server answers for" if teacher.record.engine else "in 8 bits ONNX Runtime answers for"
            raise ConfigError(
                f"distillation.hidden_weight: {who} {teacher.run.path}, and shows no states; "
                "hint: distillation.hidden_weight=0"
            )
        runtime = "auto" if teacher.record.engine else f"onnx-{precision}"
        self._classifier = Classifier.load(teacher.run, runtime=runtime)

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[Any]]:
        return (self._classifier.logits(texts),)


class _Model:
    """The teacher's weights: texts in, logits and the states that its head reads out."""

    def __init__(self, teacher: Teacher, states: bool, half: bool) -> None:
        self.model, self.tokenizer = load_model(teacher.run)
        if states:
            refuse_headless(self.model, str(teacher.run.path))
        self.size = int(self.model.config.hidden_size)
        self._half = half
        self._teacher = teacher
        self._tokenizing = TextTokenizer.of(self.tokenizer)

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[Any], NDArray[Any]]:
        import numpy as np
        import torch

        inputs = [TextInput(text=text) for text in texts]
        encoded = self._teacher.task.encode(inputs, self._tokenizing, self._teacher.record.max_tokens)
        ids = [text.windows[0] for text in encoded]
        logits, states = np.empty((len(ids), self.model.config.num_labels)), np.empty((len(ids), self.size))
        device = self.model.device.type
        seen: list[torch.Tensor] = []
        hook = self.model.base_model.register_forward_hook(
            lambda _module, _arguments, output: seen.append(output[0][:, 0])
        )
        for batch in batches([len(row) for row in ids], BUDGET.get(device, BUDGET["cuda"])):
            padded = self._padded([ids[index] for index in batch])
            with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=self._half):
                logits[batch] = self.model(**padded).logits.float().cpu().numpy()
            states[batch] = seen.pop().float().cpu().numpy()
        hook.remove()
        return logits, states

    def _padded(self, ids: list[list[int]]) -> dict[str, Any]:
        import torch

        width, pad = max(map(len, ids)), self.tokenizer.pad_token_id
        rows = [(row + [pad] * (width - len(row)), [1] * len(row) + [0] * (width - len(row))) for row in ids]
        both = torch.tensor(rows, device=self.model.device)
        return {"input_ids": both[:, 0], "attention_mask": both[:, 1]}


def refuse_headless(model: Any, name: str) -> None:
    """Refuse a model whose head does not read the first token's state.

    Raises:
        ConfigError: it reads something else, which cannot be compared.
    """
    if not reads_first_token(model):
        raise ConfigError(
            f"distillation.hidden_weight: {name} is a {model.config.model_type} ({type(model).__name__}), "
            "whose head does not read the first token alone; expected a classifier of one of "
            f"{', '.join(READ_FIRST)}; hint: distillation.hidden_weight: 0"
        )
