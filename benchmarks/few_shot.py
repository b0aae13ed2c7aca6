"""Few rows a label: the ways of the recipe few_shot, a linear probe and SetFit on the same draws.

Results are written after each draw, and added to those of other data, bases and ways.

Example: python -m benchmarks.few_shot tweets=train.jsonl,val.jsonl --base minilm-l6
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.results import FOLDER, earlier_tasks, save, table
from nlpkit.models.bases import find_base
from nlpkit.run import Run
from nlpkit.settings.training import Base, Lora
from nlpkit.tasks.intents import Intents
from nlpkit.training.codebooks import worded_examples
from nlpkit.training.few_shot import FewShot, FewShotData, FewShotTraining, draw
from nlpkit.training.head_features import HeadFeatures
from nlpkit.training.loaded_base import LoadedBase, load_classifier_base
from nlpkit.training.rows import Rows, encode, load_rows
from nlpkit.training.runs import RunInProgress, TrainOptions

PEERS = ("linear probe", "SetFit")
"""scikit-learn's logistic regression on what sentence-transformers embeds; and SetFit as documented."""

WAYS = ("probe", "contrastive", "lora", *PEERS)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is drawn of, and what learns."""

    data: FewShotData
    base: Base
    training: FewShotTraining
    codebook: str | None = None
    """What it says of the labels is learned by our ways too."""
    draws: int


def ours(way: Any, setup: Setup, rows: Rows[Any], base: LoadedBase, seed: int) -> float:
    """Return the accuracy on the test rows of a way that is trained on the rows of a draw."""
    encoded = encode(rows.train, rows.task, base.tokenizer, base.max_tokens)
    with tempfile.TemporaryDirectory() as folder:
        job = RunInProgress(
            run=Run.create(Path(folder) / "run", config=""), seed=seed, fingerprint=way,
            started=time.monotonic(), options=TrainOptions(talk=lambda line: None),
            config=setup.training,
        )  # fmt: skip
        few = FewShot(
            base=base, task=rows.task, lora=Lora(), settings=setup.base, training=setup.training,
            job=job, rows=encoded, examples=rows.train,
            words=encode(worded_examples(setup.codebook), rows.task, base.tokenizer, base.max_tokens),
        )  # fmt: skip
        model = few.train(way, range(len(encoded)))
    test = encode(rows.test, rows.task, base.tokenizer, base.max_tokens)
    _, logits = HeadFeatures.of(model).read(model, test, base.tokenizer.pad_token_id)
    return float((logits.argmax(1) == [int(row.target[0]) for row in test]).mean())


def peer(way: str, setup: Setup, rows: Rows[Any], seed: int) -> float:
    """Return the same of a peer."""
    from sentence_transformers import SentenceTransformer
    from sklearn.linear_model import LogisticRegression

    body = SentenceTransformer(str(find_base(setup.base.source)[0]), device="cpu")
    body.max_seq_length = setup.base.max_tokens or body.max_seq_length
    texts, labels = zip(*((row.text, str(row.label)) for row in rows.train), strict=True)
    asked, truth = zip(*((row.text, str(row.label)) for row in rows.test), strict=True)
    if way == "linear probe":
        model = LogisticRegression(max_iter=1000).fit(body.encode(list(texts)), labels)
        return float(np.mean(model.predict(body.encode(list(asked))) == np.array(truth)))
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    whole = SetFitModel(model_body=body, model_head=LogisticRegression(max_iter=1000))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(output_dir=folder, seed=seed, report_to="none", show_progress_bar=False)
        few = Dataset.from_dict({"text": list(texts), "label": list(labels)})
        Trainer(model=whole, args=arguments, train_dataset=few).train()
    return float(np.mean(np.array(whole.predict(list(asked), show_progress_bar=False)) == np.array(truth)))


def summary(measured: Mapping[str, Sequence[Mapping[str, float]]]) -> list[Sequence[str]]:
    """Return a row for each way: its mean, the standard deviation, and the seconds a draw."""
    rows: list[Sequence[str]] = []
    for way, draws in measured.items():
        right = [each["accuracy"] for each in draws]
        deviation = f"{100 * np.std(right, ddof=1):.1f}" if len(right) > 1 else "–"
        seconds = np.mean([each["cpu_seconds"] for each in draws])
        rows.append((way, f"{np.mean(right):.1%}", deviation, f"{seconds:.0f}", str(len(right))))
    return rows


def _page(tasks: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, task in tasks.items():
        about = f"{task['per_label']} rows of each of {task['labels']} labels; {task['test']:,} to report on"
        head = ("way", "accuracy", "standard deviation", "CPU seconds a draw", "draws")
        lines += [f"## {name}", "", f"{about}; {task['epochs']:g} epochs.", ""]
        lines += [*table(head, summary(task["measured"])), ""]
    return lines[:-1]


def bench(
    name: str, setup: Setup, *, ways: Sequence[str], results: Path, talk: Callable[[str], None]
) -> dict[str, Any]:
    """Measure each way on each draw, write few-shot.json and few-shot.md, and return the results."""
    machine, tasks, page = Machine(), earlier_tasks(results, "few-shot"), ""
    rows = load_rows(Intents(), setup.data, seed=1)
    base = load_classifier_base(setup.base, mean_pooled=True)
    book = f", with the codebook {setup.codebook}" if setup.codebook else ""
    task = tasks.setdefault(f"{name}, {setup.base.source}{book}", {"measured": {}})
    measured: dict[str, list[dict[str, float]]] = {**task["measured"], **{way: [] for way in ways}}
    for seed in range(1, setup.draws + 1):
        drawn = draw(rows, setup.data.per_label, seed)
        for way in ways:
            started = time.process_time()
            right = peer(way, setup, drawn, seed) if way in PEERS else ours(way, setup, drawn, base, seed)
            measured[way].append({"accuracy": right, "cpu_seconds": time.process_time() - started})
            talk(f"{name}, draw {seed}, {way}: {right:.1%}")
        task |= {
            "per_label": setup.data.per_label, "labels": drawn.task.head.outputs, "test": len(drawn.test),
            "epochs": setup.training.epochs, "measured": measured,
        }  # fmt: skip
        page = save(
            results, "few-shot", {"tasks": tasks}, title="Few rows a label: accuracy in draws",
            machine=machine, lines=_page(tasks), timed=False,
        )  # fmt: skip
    talk(page)
    return tasks


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.few_shot", description=__doc__)
    parser.add_argument("data", metavar="NAME=TRAIN,TEST")
    parser.add_argument("--base", default="minilm-l6")
    parser.add_argument("--per-label", type=int, default=8)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--epochs", type=float, default=30)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--codebook", help="learned by our ways too")
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    name, files = asked.data.split("=", 1)
    train, test = files.split(",")
    setup = Setup(
        data=FewShotData.model_validate({"train": train, "test": [test], "per_label": asked.per_label}),
        base=Base(source=asked.base, max_tokens=96),
        training=FewShotTraining(epochs=asked.epochs),
        codebook=asked.codebook,
        draws=asked.draws,
    )
    bench(name, setup, ways=asked.ways, results=asked.results, talk=print)


if __name__ == "__main__":
    main()
