"""How fast the steps of a training are: nlpkit's, or those of the peer, transformers' Trainer with PEFT as their documentation shows them.

python -m benchmarks.training_steps {nlpkit,peer} CONFIG STEPS [OVERRIDES]     prints samples a second and a CPU second as JSON
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WARM = 20
"""Steps that are not counted."""

BATCH_SIZE = 16


class EnoughError(Exception):
    """Enough steps were made."""


class Clock:
    """Told of every step; ends the training once it has counted enough."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._made = 0
        self._from = (0.0, 0.0)
        self.found: dict[str, float] = {}

    def step(self) -> None:
        """One more was made.

        Raises:
            EnoughError: it was the last to count.
        """
        self._made += 1
        if self._made == WARM:
            self._from = (time.perf_counter(), time.process_time())
        if self._made == WARM + self._steps:
            samples, (wall, cpu) = self._steps * BATCH_SIZE, self._from
            self.found["samples_per_second"] = samples / (time.perf_counter() - wall)
            self.found["samples_per_cpu_second"] = samples / (time.process_time() - cpu)
            raise EnoughError


def nlpkit(config: Path, overrides: Sequence[str], clock: Clock) -> None:
    """The steps of a config."""
    from benchmarks.training import read

    with tempfile.TemporaryDirectory() as folder:
        same = [
            f"output={folder}",
            f"training.batch_size={BATCH_SIZE}",
            "training.evaluations=1",
            "training.average=false",
            "seeds=[1]",
        ]
        settings, recipe = read(config, [*overrides, *same])
        recipe.train(
            settings, check=False, overwrite=False, talk=lambda _: None, progress=lambda _: clock.step()
        )


def peer(config: Path, overrides: Sequence[str], clock: Clock) -> None:
    """LoRA on all linear layers in fp32, with batches of like length: the base, data and batch size of the config, Trainer's defaults."""
    import torch
    from datasets import load_dataset
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    from benchmarks.training import read
    from nlpkit.models.pretrained import find_base, quiet

    class Tell(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.step()

    torch.set_num_threads(1)
    settings, _ = read(config, overrides)
    folder, _ = find_base(settings.base.source)
    with quiet(), tempfile.TemporaryDirectory() as output:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        labels = {name: place for place, name in enumerate(settings.task.labels)}

        def encode(row: dict[str, str]) -> dict[str, Any]:
            ids = tokenizer(row["text"], truncation=True, max_length=settings.base.max_tokens)["input_ids"]
            return {"input_ids": ids, "labels": labels[row["label"]], "length": len(ids)}

        rows = load_dataset("json", data_files=settings.data.train[0].source, split="train", cache_dir=output)
        rows = rows.map(encode, remove_columns=rows.column_names)
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=len(labels), dtype=torch.float32
        )
        model = get_peft_model(
            model, LoraConfig(task_type="SEQ_CLS", r=16, lora_alpha=32, target_modules="all-linear")
        )
        arguments = TrainingArguments(
            output_dir=output,
            per_device_train_batch_size=BATCH_SIZE,
            learning_rate=1e-3,
            train_sampling_strategy="group_by_length",
            length_column_name="length",
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            seed=1,
        )
        collate = DataCollatorWithPadding(tokenizer)
        Trainer(
            model=model, args=arguments, train_dataset=rows, data_collator=collate, callbacks=[Tell()]
        ).train()


def main() -> None:
    """Do what the command line says."""
    method, config, steps, *overrides = sys.argv[1:]
    clock = Clock(int(steps))
    try:
        (peer if method == "peer" else nlpkit)(Path(config), overrides, clock)
    except EnoughError:
        print(json.dumps(clock.found))


if __name__ == "__main__":
    main()
