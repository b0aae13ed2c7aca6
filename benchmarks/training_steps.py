"""Speed of the training steps of nlpkit, or of the peer: transformers' Trainer with PEFT, used as documented.

python -m benchmarks.training_steps {nlpkit,peer} CONFIG STEPS [OVERRIDES]

Prints samples for each second and each CPU second as JSON.
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
"""Steps for warming up, which are not measured."""

BATCH_SIZE = 16


class EnoughError(Exception):
    """Enough steps were counted."""


class Clock:
    """Counts the steps of a training, and ends it after enough."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._made = 0
        self._from = (0.0, 0.0)
        self.rates: dict[str, float] = {}

    def step(self) -> None:
        """Count a step.

        Raises:
            EnoughError: it was the last.
        """
        self._made += 1
        if self._made == WARM:
            self._from = (time.perf_counter(), time.process_time())
        if self._made == WARM + self._steps:
            samples, (wall, cpu) = self._steps * BATCH_SIZE, self._from
            self.rates["samples_per_second"] = samples / (time.perf_counter() - wall)
            self.rates["samples_per_cpu_second"] = samples / (time.process_time() - cpu)
            raise EnoughError


def nlpkit(config: Path, overrides: Sequence[str], clock: Clock) -> None:
    """Train a config with nlpkit."""
    from benchmarks.training import read
    from nlpkit.training.runs import TrainOptions

    with tempfile.TemporaryDirectory() as folder:
        same = [
            f"output={folder}",
            f"training.batch_size={BATCH_SIZE}",
            "training.evaluations=1",
            "training.average=false",
            "seeds=[1]",
        ]
        settings, recipe = read(config, [*overrides, *same])
        options = TrainOptions(talk=lambda _: None, progress=lambda _: clock.step())
        recipe.train(settings, options)


def peer(config: Path, overrides: Sequence[str], clock: Clock) -> None:
    """Train the config's base, data and batch size with the Trainer's defaults.

    It is LoRA on all linear layers in fp32, in batches of similar length.
    """
    import torch
    from datasets import load_dataset
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
    )

    from benchmarks.training import read
    from nlpkit.models.bases import find_base
    from nlpkit.models.pretrained import quiet

    class Callback(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.step()

    torch.set_num_threads(1)
    settings, _ = read(config, overrides)
    folder, _ = find_base(settings.base.source)
    with quiet(), tempfile.TemporaryDirectory() as output:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        labels = {name: index for index, name in enumerate(settings.task.labels)}

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
        arguments = _trainer_arguments(output)
        collate = DataCollatorWithPadding(tokenizer)
        Trainer(
            model=model, args=arguments, train_dataset=rows, data_collator=collate, callbacks=[Callback()]
        ).train()


def _trainer_arguments(output: str) -> Any:
    from transformers import TrainingArguments

    return TrainingArguments(
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


def main() -> None:
    """Run the command line."""
    method, config, steps, *overrides = sys.argv[1:]
    clock = Clock(int(steps))
    try:
        (peer if method == "peer" else nlpkit)(Path(config), overrides, clock)
    except EnoughError:
        print(json.dumps(clock.rates))


if __name__ == "__main__":
    main()
