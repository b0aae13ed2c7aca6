"""Scoring and LoRA training on a GPU, with the card's own bf16 rate and TRL on the same model and data.

Each part runs in a process of its own. It takes some minutes and fetches nothing: the sources must be in the
cache. `--parts` and `--texts` make it small enough to be tried on a processor.

Example: python -m benchmarks.gpu --results results
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, save, table
from benchmarks.training_steps import BATCH_SIZE, Clock, EnoughError, nlpkit
from nlpkit.errors import NlpkitError

BASE = "smollm2-135m"
SIDE = 8192
SECONDS = 2.0
TURNS = (
    "Which of the two trains should I take to be there before noon on a Sunday in winter?",
    "Take the earlier one: it waits for the bus from the harbor, and the later one has no connection.",
)
CONFIG = """
recipe: dialogue
name: gpu
data: {{train: [{{source: {data}}}], validation: 0.02, test: 0.02, near_duplicates: 1.0}}
base: {{source: {base}, max_tokens: 256}}
training: {{epochs: 50, lr: 5.0e-4}}
output: {output}
"""


def rate(texts: int) -> dict[str, float]:
    """Return TFLOP/s of bf16 products of square matrices: the limit of all that follows."""
    import torch

    from nlpkit.models.pretrained import pick_device

    device = pick_device()
    side = SIDE if device.type == "cuda" else SIDE // 8
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = 0.0
    for _ in range(3):
        _wait()
        begun, count = time.perf_counter(), 0
        while time.perf_counter() < begun + SECONDS:
            for _ in range(10):
                left @ right
            _wait()
            count += 10
        best = max(best, count * 2 * side**3 / (time.perf_counter() - begun) / 1e12)
    return {"tflops": best}


def score(texts: int, *, runtime: str) -> dict[str, float]:
    """Return texts a second of the built-in classifier, and the TFLOP/s that their tokens need."""
    from benchmarks.texts import rated_rows
    from nlpkit.classifiers.classifier import Classifier

    classifier = Classifier.load(None, runtime=runtime)
    sentences = [f"{text} {number}" for number, (text, _) in enumerate(rated_rows(texts, seed=1))]
    tokens = sum(encoded.tokens for encoded in classifier.encode(sentences))
    model: Any = classifier.runtime
    layers = [
        weights.numel()
        for name, weights in model.model.named_parameters()
        if weights.dim() == 2 and "embedding" not in name
    ]
    best = 0.0
    for _ in range(3):
        begun = time.perf_counter()
        classifier.predict(sentences)
        best = max(best, len(sentences) / (time.perf_counter() - begun))
    return {
        "texts_per_second": best,
        "tokens_per_text": tokens / len(sentences),
        "tflops": best * tokens / len(sentences) * 2 * sum(layers) / 1e12,
    }


def train_by_nlpkit(texts: int) -> dict[str, float]:
    """Return conversations a second of the dialogue recipe."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "gpu.yaml"
        data = write_conversations(Path(folder) / "chats.jsonl", texts)
        config.write_text(CONFIG.format(data=data, base=BASE, output=folder), encoding="utf-8")
        return _timed(lambda clock: nlpkit(config, ["evaluation.items=1", "evaluation.generate=0"], clock))


def train_by_trl(texts: int) -> dict[str, float]:
    """Return conversations a second of TRL's SFTTrainer: same base, rows, batches, ranks; bf16 on a GPU."""
    import torch
    from datasets import load_dataset
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]

    from nlpkit.models.bases import find_base
    from nlpkit.models.pretrained import load_language_model, load_tokenizer, quiet

    def train(clock: Clock) -> None:
        class Callback(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, *_: Any, **__: Any) -> None:
                clock.step()

        folder, _ = find_base(BASE)
        with quiet(), tempfile.TemporaryDirectory() as output:
            data = write_conversations(Path(output) / "chats.jsonl", texts)
            rows = load_dataset("json", data_files=str(data), split="train", cache_dir=output)
            cuda = torch.cuda.is_available()
            arguments = SFTConfig(
                output_dir=output, per_device_train_batch_size=BATCH_SIZE, max_steps=1000, learning_rate=5e-4,
                max_length=256, packing=False, bf16=cuda, use_cpu=not cuda, gradient_checkpointing=False,
                report_to="none", save_strategy="no", disable_tqdm=True, seed=1,
            )  # fmt: skip
            lora = LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear")
            SFTTrainer(
                model=load_language_model(folder), args=arguments, train_dataset=rows, peft_config=lora,
                processing_class=load_tokenizer(folder), callbacks=[Callback()],
            ).train()  # fmt: skip

    return _timed(train)


STEPS = 40


def _timed(train: Callable[[Clock], None]) -> dict[str, float]:
    clock = Clock(STEPS)
    with contextlib.suppress(EnoughError):
        train(clock)
    return {"conversations_per_second": clock.rates["samples_per_second"]}


def write_conversations(path: Path, count: int) -> Path:
    """Write conversations of four turns that differ in their numbers only, so that rows are equally long."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            turns = [f"{text} ({number + 10_000})" for text in TURNS * 2]
            roles = ("user", "assistant") * 2
            messages = [{"role": role, "content": text} for role, text in zip(roles, turns, strict=True)]
            file.write(json.dumps({"id": f"chat-{number}", "messages": messages}) + "\n")
    return path


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


PARTS: dict[str, Callable[[int], dict[str, float]]] = {
    "bf16 products": rate,
    "scoring in fp32": lambda texts: score(texts, runtime="torch"),
    "scoring in bf16": lambda texts: score(texts, runtime="torch-bf16"),
    "LoRA by nlpkit": train_by_nlpkit,
    "LoRA by TRL": train_by_trl,
}


def device() -> str:
    """Return the name of the card, or that there is none."""
    import torch

    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else "no CUDA: a processor"


def lines(measured: dict[str, dict[str, float]], name: str) -> list[str]:
    """Return the page: what was measured, and its share of the card's rate."""
    limit = measured.get("bf16 products", {}).get("tflops")
    rows = []
    for part, figures in measured.items():
        shown = ", ".join(f"{value:,.1f} {what.replace('_', ' ')}" for what, value in figures.items())
        share = f"{figures['tflops'] / limit:.1%}" if limit and "tflops" in figures else "–"
        rows.append([part, shown, share])
    mine, peer = (
        measured.get(f"LoRA by {who}", {}).get("conversations_per_second") for who in ("nlpkit", "TRL")
    )
    ratio = [f"LoRA by nlpkit: {mine / peer:.2f} times TRL."] if mine and peer else []
    return [f"{name}.", "", *table(["part", "measured", "share of the bf16 rate"], rows), "", *ratio]


def main() -> int:
    """Run the parts, each in a process of its own."""
    parser = argparse.ArgumentParser(description="Scoring and LoRA training on a GPU.")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--results", type=Path, default=FOLDER)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(PARTS[given.parts[0]](given.texts)))
        return 0
    import subprocess

    machine, measured = Machine(), {}
    for part in given.parts:
        words = ("-m", "benchmarks.gpu", "--child", "--texts", str(given.texts), "--parts", part)
        done = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise NlpkitError(
                f"benchmarks.gpu: {part} ended with {done.returncode}; its message stands above"
            )
        measured[part] = json.loads(done.stdout.splitlines()[-1])
        print(part, measured[part], flush=True)
    name = device()
    print(
        save(
            given.results, "gpu", {"device": name, "parts": measured}, title="On a GPU", machine=machine,
            lines=lines(measured, name),
        )
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NlpkitError as error:
        sys.exit(f"error: {error}")
