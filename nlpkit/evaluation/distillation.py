"""A distilled run compared with its teacher, and with the same base without one: quality, size and speed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.runtime import Metered
from nlpkit.data.examples import LabeledText
from nlpkit.evaluation.measure_classifier import refuse_other_answers
from nlpkit.files import write_whole
from nlpkit.generation.decision_server import naming_rows
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.labels import ACCURACY, MACRO_F1
from nlpkit.metrics.score import PairedTest, Part, Score
from nlpkit.models.bases import find_base, source_of
from nlpkit.reports.parts import Baseline
from nlpkit.reports.wording import difference, no_better, p_value
from nlpkit.run import Run
from nlpkit.run_record import RunRecord

Role = Literal["teacher", "student", "plain"]

METRICS = (ACCURACY, MACRO_F1)
TIMED = 200
"""Texts that are timed."""

ROUNDS = 5
"""How often each answers for them, in turn, so that a busy moment of the machine strikes all."""


class Side(Part):
    """One of those that are compared."""

    role: Role
    run: str
    base: str
    weights: int
    """Of the model that serves, the adapter merged into it."""
    megabytes: float
    """Of these weights, in float32."""
    scores: dict[str, Score]
    tests: dict[str, PairedTest]
    """The student's score minus this one's; empty for the student."""
    texts_per_second: float
    """The median of the rounds; of a server what its answers took, which may have been kept from before."""
    dollars_per_million: float | None = None
    """Of a server with a price: for a million such texts."""


class DistillationReport(Part):
    """Teacher, student and plain student on the same rows."""

    data: str
    rows: int
    chosen_here: bool
    """Whether the student's checkpoint was chosen on these rows too."""
    threads: int
    timed: int
    rounds: int
    sides: tuple[Side, ...]
    gap_closed: float | None
    """The share of the accuracy between plain student and teacher that the student gains; None without a
    plain one, or a gap."""
    constant: Baseline | None = None
    """The best answer that is the same for every text, compared with the student; None in older reports."""

    def to_markdown(self) -> str:
        """Return the table, with what it rests on."""
        head = "| | run | base | accuracy | macro F1 | student is better by | p | weights | MB | texts/s |"
        lines = ["# Teacher and student", "", head, "| --- " * 3 + "| ---: " * 7 + "|"]
        lines += [_row(side) for side in self.sides]
        lines += [
            "",
            f"{self.rows:,} rows of {self.data}, the same for all; 95% intervals by bootstrap, differences "
            "in accuracy paired.",
        ]
        if self.chosen_here:
            lines += [
                "The students' checkpoints were chosen on these rows too, so that all are a little too high."
            ]
        if self.constant is not None:
            lines.append(self._against_constant(self.constant))
        if self.gap_closed is not None:
            lines += [
                f"The student closes {self.gap_closed:.0%} of the gap between plain student and teacher."
            ]
        lines += [
            f"Speed: {self.timed} of the texts, {self.threads} threads, in turn, the median of "
            f"{self.rounds} rounds; MB in float32."
        ]
        for side in self.sides:
            if side.dollars_per_million is not None:
                lines.append(
                    f"The {side.role}'s answers cost ${side.dollars_per_million:,.2f} a million texts."
                )
        return "\n".join(lines) + "\n"

    def _against_constant(self, constant: Baseline) -> str:
        student = next(side for side in self.sides if side.role == "student")
        if warnings := no_better(student.scores, constant):
            return f"**Warning:** {warnings[0]}."
        name, accuracy = constant.name, constant.scores["accuracy"]
        return f"{name[0].upper()}{name[1:]} gets {accuracy.shown_with_interval}."


def report_distillation(
    student: Run, teacher: Run, plain: Run | None, parts: Mapping[str, Sequence[LabeledText]]
) -> DistillationReport:
    """Compare on the last part that has rows, and write the result into the student's run as JSON and
    Markdown.
    """
    data, examples = [(name, rows) for name, rows in parts.items() if rows][-1]
    runs: dict[Role, Run] = {"teacher": teacher, "student": student, **({"plain": plain} if plain else {})}
    comparison = compare(runs, examples, data=data)
    write_whole(student.distillation, comparison.model_dump_json(indent=2) + "\n")
    write_whole(student.distillation.with_suffix(".md"), comparison.to_markdown())
    return comparison


def compare(runs: Mapping[Role, Run], examples: Sequence[LabeledText], *, data: str) -> DistillationReport:
    """Compare runs on the same rows, each loaded and used as it is served.

    Raises:
        RunError: a run is refused.
        ConfigError: their labels are not the same.
    """
    records = {role: run.read() for role, run in runs.items()}
    classifiers = {role: Classifier.load(run) for role, run in runs.items()}
    for classifier in classifiers.values():
        refuse_other_answers(classifiers["student"], classifier)
    texts = [example.text for example in examples]
    with naming_rows((example.text, example.where) for example in examples):
        outcomes = {
            role: classifier.task.family.outcomes(examples, classifier.predict(texts))
            for role, classifier in classifiers.items()
        }
    costs = _server_costs(classifiers)
    speeds = speed({role: each for role, each in classifiers.items() if role not in costs}, texts)
    seed, family = records["student"].seed, classifiers["student"].task.family
    sides = tuple(
        Side(
            role=role,
            run=runs[role].name,
            base=records[role].base.source,
            weights=(weights := 0 if role in costs else served_weights(records[role])),
            megabytes=round(4 * weights / 1e6, 1),
            scores=bootstrap(outcomes[role], METRICS, seed=seed),
            tests={}
            if role == "student"
            else {
                metric.name: paired(metric, outcomes["student"], outcomes[role], seed=seed)
                for metric in METRICS
            },
            texts_per_second=round(speeds[role], 1) if role in speeds else _rate(costs[role]),
            dollars_per_million=_price(costs.get(role), len(texts)),
        )
        for role in runs
    )
    return DistillationReport(
        data=data, rows=len(texts), chosen_here=data == "validation", threads=classifiers["student"].threads,
        timed=min(TIMED, len(texts)), rounds=ROUNDS, sides=sides, gap_closed=gap_closed(sides),
        constant=family.report.constant(outcomes["student"]).baseline(outcomes["student"], seed),
    )  # fmt: skip


def _server_costs(classifiers: Mapping[Role, Classifier]) -> dict[Role, dict[str, Any]]:
    """Return what the answers of those cost for which a server answers."""
    return {
        role: classifier.runtime.take_cost()
        for role, classifier in classifiers.items()
        if isinstance(classifier.runtime, Metered)
    }


def _rate(cost: Mapping[str, Any]) -> float:
    """Return how many texts a second a server answers when it is asked about one after the other."""
    return float(round(1 / max(cost["seconds_per_text"], 1e-9), 2))


def _price(cost: Mapping[str, Any] | None, texts: int) -> float | None:
    return None if cost is None or cost["dollars"] is None else 1e6 * cost["dollars"] / texts


def gap_closed(sides: Sequence[Side]) -> float | None:
    """Return (student - plain) / (teacher - plain) in accuracy, where the teacher is better than the plain
    student.
    """
    accuracy = {side.role: side.scores["accuracy"].value for side in sides}
    teacher, student, plain = accuracy.get("teacher"), accuracy.get("student"), accuracy.get("plain")
    if teacher is None or student is None or plain is None or teacher <= plain:
        return None
    return (student - plain) / (teacher - plain)


def speed(classifiers: Mapping[Role, Classifier], texts: Sequence[str]) -> dict[Role, float]:
    """Measure texts a second of each, in turn on the same texts."""
    count = min(TIMED, len(texts))
    timed = [texts[number * len(texts) // count] for number in range(count)]
    seconds: dict[Role, list[float]] = {role: [] for role in classifiers}
    for number in range(ROUNDS + 1):
        for role, classifier in classifiers.items():
            started = time.perf_counter()
            classifier.predict(timed)
            if number:  # the first is a warm-up
                seconds[role].append(time.perf_counter() - started)
    return {role: len(timed) / statistics.median(rounds) for role, rounds in seconds.items()}


def served_weights(record: RunRecord) -> int:
    """Count the weights of the model that serves, without loading any."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    folder: Path = find_base(source_of(record.base))[0]
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    config.num_labels = record.outputs
    config.num_hidden_layers = record.base.layers or config.num_hidden_layers
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
    return sum(weight.numel() for weight in model.parameters())


def _row(side: Side) -> str:
    scores = [score.shown_with_interval for score in side.scores.values()]
    tests = ["", ""]
    if test := side.tests.get("accuracy"):
        tests = [difference(side.scores["accuracy"], test), p_value(test)]
    weights = [f"{side.weights / 1e6:,.1f}M", f"{side.megabytes:,.0f}"] if side.weights else ["server", ""]
    rate = side.texts_per_second
    numbers = [*weights, f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"]
    return f"| {' | '.join([side.role, side.run, side.base, *scores, *tests, *numbers])} |"
