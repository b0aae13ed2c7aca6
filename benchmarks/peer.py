"""The peers in their own processes: transformers.pipeline and sentence-transformers, used as documented.

python -m benchmarks.peer export RUN FOLDER          the run's weights as a plain transformers model
python -m benchmarks.peer pipeline FOLDER IN OUT     score a CSV with the pipeline; prints seconds
python -m benchmarks.peer encode FOLDER IN           embed it with sentence-transformers; prints seconds
python -m benchmarks.peer first FOLDER TEXT          print the answer for one text
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from pathlib import Path

from benchmarks.texts import read_column

BATCH_SIZE = 32


def export(run: str | None, folder: Path) -> None:
    """Save the run's merged weights and tokenizer for the pipeline, and print labels and temperature."""
    from nlpkit.classifiers.loading import default_run, load_model
    from nlpkit.models.pretrained import quiet
    from nlpkit.run import Run
    from nlpkit.tasks.task import text_task_from

    opened = Run.open(run) if run else default_run()
    record = opened.read()
    task = text_task_from(record.task)
    with quiet():
        for part in load_model(opened):
            part.save_pretrained(folder)
    print(
        json.dumps(
            {
                "labels": list(task.head.names),
                "temperature": record.task.get("temperature", 1.0),
                "name": opened.name,
            }
        )
    )


def score(folder: Path, source: Path, target: Path) -> None:
    """Write the logits of each text of a CSV, and print the seconds of the pipeline's call alone."""
    import torch
    from transformers import pipeline

    from nlpkit.models.pretrained import quiet

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with quiet():
        classify = pipeline("text-classification", model=str(folder), tokenizer=str(folder), device="cpu")
    texts = read_column(source)
    classify(
        texts[:BATCH_SIZE], batch_size=BATCH_SIZE, truncation=True
    )  # the first call sets up the pipeline
    started = time.perf_counter()
    # Logits can be compared with nlpkit's calibrated probabilities, and save the pipeline a softmax.
    answers = classify(texts, batch_size=BATCH_SIZE, truncation=True, top_k=None, function_to_apply="none")
    seconds = time.perf_counter() - started
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(sorted(prediction["label"] for prediction in answers[0]))
        writer.writerows(
            [prediction["score"] for prediction in sorted(answer, key=lambda scored: scored["label"])]
            for answer in answers
        )
    print(json.dumps({"seconds": seconds, "dtype": str(classify.model.dtype).removeprefix("torch.")}))


def encode(folder: Path, source: Path) -> None:
    """Embed each text of a CSV, without a head, and print the seconds of `encode` alone."""
    import torch
    from sentence_transformers import SentenceTransformer

    from nlpkit.models.pretrained import quiet

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with quiet():
        model = SentenceTransformer(str(folder), device="cpu")
    texts = read_column(source)
    model.encode(texts[:BATCH_SIZE], batch_size=BATCH_SIZE, show_progress_bar=False)
    started = time.perf_counter()
    model.encode(texts, batch_size=BATCH_SIZE, show_progress_bar=False)
    print(json.dumps({"seconds": time.perf_counter() - started, "dtype": "float32"}))


def first(folder: Path, text: str) -> None:
    """Print the pipeline's answer for one text, as the first of a fresh process."""
    from transformers import pipeline

    print(json.dumps(pipeline("text-classification", model=str(folder), device="cpu")(text)))


def main() -> None:
    """Run the command line."""
    csv.field_size_limit(sys.maxsize)
    verb, *paths = sys.argv[1:]
    if verb == "export":
        export(paths[0] or None, Path(paths[1]))
    elif verb == "encode":
        encode(*map(Path, paths))
    elif verb == "first":
        first(Path(paths[0]), paths[1])
    else:
        score(*map(Path, paths))


if __name__ == "__main__":
    main()
