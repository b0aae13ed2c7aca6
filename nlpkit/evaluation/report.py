"""What an evaluation found, as one frozen value that goes to JSON and back without loss, and to Markdown."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from nlpkit.errors import DataError

_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A frozen piece of a report: no unknown keys, no nan."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, from_attributes=True)


class Score(Part):
    """A number with its 95% interval and all that is needed to read it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    count: int
    """Rows that it was measured on."""
    undefined: str | None = None
    """Why the value, or its interval, is missing."""
    title: str = ""
    meaning: str = ""
    higher_is_better: bool = True
    percent: bool = False
    """Shown as a percentage."""

    def shown(self, value: float | None) -> str:
        """A value of this metric as people read it: `91.3%`, `0.872`, or a dash."""
        if value is None:
            return "–"
        return f"{value * 100:.1f}%" if self.percent else f"{value:.3f}"

    @property
    def interval(self) -> str:
        """The 95% interval as people read it; empty where there is none."""
        return "" if self.low is None or self.high is None else f"{self.shown(self.low)} to {self.shown(self.high)}"


class PairedTest(Part):
    """How the run differs from a baseline on the same rows: run minus baseline."""

    metric: str
    difference: float | None
    low: float | None = None
    high: float | None = None
    p: Share | None = None
    """Two-sided, by paired bootstrap; None where the difference is undefined."""
    count: int
    resamples: int
    mcnemar_p: Share | None = None
    """Exact, for accuracy only (McNemar 1947)."""
    only_first: int | None = None
    """Rows that only the run gets right, for accuracy only."""
    only_second: int | None = None
    """Rows that only the baseline gets right, for accuracy only."""


class Baseline(Part):
    """A named run or method on the same rows, with a test of each difference."""

    name: str
    scores: dict[str, Score]
    tests: dict[str, PairedTest] = {}


class ClassScore(Part):
    """How one label fares; None where a ratio would be over nothing."""

    label: str
    precision: Share | None
    recall: Share | None
    f1: Share | None
    support: int


class Bin(Part):
    """One bin of the reliability diagram: (low, high], with mean confidence and accuracy of its rows; None where it has none."""

    low: Share
    high: Share
    count: int
    confidence: Share | None = None
    accuracy: Share | None = None


class Histogram(Part):
    """Counts of one quantity between `edges`, such as the probability of a label among the texts that truly have it."""

    name: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Mistake(Part):
    """A text that the model got wrong, and how sure it was."""

    text: str
    truth: str
    predicted: str
    probability: Share | None = None
    """Of the predicted label; None for values."""
    where: str = ""


class Findings(Part):
    """What stands behind the scores, for tables and plots. `findings.describe` makes it."""

    labels: tuple[str, ...] = ()
    per_class: tuple[ClassScore, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    """A row for each true label, a column for each predicted one."""
    reliability: tuple[Bin, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    """Of each label's probability, among the rows that truly have the label; or of the residuals."""
    points: tuple[tuple[float, float], ...] = ()
    """Values only: (true, predicted) of a sample of the rows."""
    worst: tuple[Mistake, ...] = ()
    """The mistakes that the model was surest of, or the largest errors."""
    mistakes: int = 0
    """How many rows are wrong; 0 for values."""


class Step(Part):
    """One point of the learning curve."""

    step: int
    epoch: float | None = None
    loss: float | None = None
    """Training loss since the last point that has one."""
    metrics: dict[str, float] = {}
    """On the validation rows."""


class SourceCard(Part):
    """Where rows came from."""

    name: str
    rows: int | None = None
    licence: str = ""
    origin: str = ""


class DataCard(Part):
    """What was learnt from and measured on."""

    counts: dict[str, int] = {}
    """Rows of each split."""
    balance: dict[str, dict[str, int]] = {}
    """Rows of each label in each split."""
    sources: tuple[SourceCard, ...] = ()
    dropped: dict[str, int] = {}
    """Rows left out, by reason, such as near-duplicates across splits."""
    notes: tuple[str, ...] = ()


class Cost(Part):
    """What it took."""

    device: str = ""
    train_seconds: float | None = None
    peak_memory_mb: float | None = None
    texts_per_second: float | None = None
    trainable_parameters: int | None = None
    total_parameters: int | None = None


class Report(Part):
    """Everything that one evaluation of one run on one data set found."""

    format: Literal[1] = 1
    """The version of the JSON."""
    run: str
    data: str
    kind: Literal["labels", "values"]
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    seed: int | None = None
    scores: dict[str, Score]
    findings: Findings = Findings()
    baselines: tuple[Baseline, ...] = ()
    curve: tuple[Step, ...] = ()
    data_card: DataCard = DataCard()
    cost: Cost = Cost()
    config: str = ""
    """The resolved config, as YAML."""
    versions: dict[str, str] = {}

    def to_json(self) -> str:
        """The whole report; `Report.from_json` gives an equal one back."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        """The report that `to_json` wrote.

        Raises:
            DataError: the text is not such a report, or one of a newer nlpkit.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the text"
            raise DataError(f"not a report that this nlpkit can read: {place}: {first['msg']}") from error

    def to_markdown(self) -> str:
        """The numbers as Markdown tables: scores, baselines, labels, confusion, data, cost and versions. Holds no texts."""
        parts = [
            f"# {cell(self.run)} on {cell(self.data)}",
            f"{max((score.count for score in self.scores.values()), default=0):,} texts, {self.created:%Y-%m-%d %H:%M %Z}.",
            score_table(self.scores),
            *(_section(f"Against {one.name}", _baseline_table(self.scores, one)) for one in self.baselines),
            _section("Labels", _class_table(self.findings)),
            _section("Confusion (rows: truth, columns: predicted)", _confusion_table(self.findings)),
            _section("Data", _table(("Split", "Rows"), self.data_card.counts.items())),
            _section("Left out", _table(("Why", "Rows"), self.data_card.dropped.items())),
            _section("Cost", _table(("What", "Value"), cost_rows(self.cost))),
            _section("Versions", _table(("Package", "Version"), self.versions.items())),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"


def cost_rows(cost: Cost) -> list[tuple[str, str]]:
    """The costs that are known, named and with units."""
    rows = (
        ("Device", cost.device or None),
        ("Training", None if cost.train_seconds is None else f"{cost.train_seconds:,.0f} s"),
        ("Peak memory", None if cost.peak_memory_mb is None else f"{cost.peak_memory_mb:,.0f} MB"),
        ("Texts per second", None if cost.texts_per_second is None else f"{cost.texts_per_second:,.0f}"),
        ("Trained parameters", None if cost.trainable_parameters is None else f"{cost.trainable_parameters:,}"),
        ("All parameters", None if cost.total_parameters is None else f"{cost.total_parameters:,}"),
    )
    return [(name, value) for name, value in rows if value is not None]


def visible(text: object) -> str:
    """The text without control characters and without those that turn the direction of what stands around them."""
    return "".join(one for one in str(text) if one in "\n\t" or not (unicodedata.category(one) in ("Cc", "Cs") or one in _TURNING))


def cell(value: object) -> str:
    """Text that stays inside its cell: no pipe, line break or markup of its own."""
    flat = " ".join(visible(value).split())
    return "".join("\\" + one if one in "\\|`*_<>[]#" else one for one in flat)


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(cell(one) for one in head)} |", "|" + " --- |" * len(head), *lines])


def _section(title: str, body: str) -> str:
    return f"## {cell(title)}\n\n{body}" if body else ""


def score_table(scores: Mapping[str, Score]) -> str:
    """A Markdown table of scores with their intervals and what they mean; empty without scores."""
    rows = [(one.title or name, one.shown(one.value), one.interval, one.undefined or one.meaning) for name, one in scores.items()]
    return _table(("Metric", "Value", "95% interval", "Reading"), rows)


def _baseline_table(scores: Mapping[str, Score], baseline: Baseline) -> str:
    rows = []
    for name, theirs in baseline.scores.items():
        ours, test = scores.get(name), baseline.tests.get(name)
        if ours is not None:
            rows.append((ours.title or name, ours.shown(ours.value), theirs.shown(theirs.value), difference(ours, test), p_value(test)))
    return _table(("Metric", "This run", "Baseline", "Difference (95% interval)", "p"), rows)


def difference(score: Score, test: PairedTest | None) -> str:
    """The difference with its sign and interval, in points where the metric is a percentage; empty where unknown."""
    if test is None or test.difference is None:
        return ""

    def signed(value: float) -> str:
        return f"{value * 100:+.1f}" if score.percent else f"{value:+.3f}"

    interval = "" if test.low is None or test.high is None else f" ({signed(test.low)} to {signed(test.high)})"
    return signed(test.difference) + (" points" if score.percent else "") + interval


def p_value(test: PairedTest | None) -> str:
    """The p-value as people read it: exact McNemar where there is one, else the bootstrap's."""
    p = None if test is None else (test.p if test.mcnemar_p is None else test.mcnemar_p)
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def shown_share(value: float | None) -> str:
    """A ratio as people read it; a dash where it is over nothing."""
    return "–" if value is None else f"{value:.3f}"


def _class_table(findings: Findings) -> str:
    rows = [(one.label, *map(shown_share, (one.precision, one.recall, one.f1)), f"{one.support:,}") for one in findings.per_class]
    return _table(("Label", "Precision", "Recall", "F1", "Texts"), rows)


def _confusion_table(findings: Findings) -> str:
    return _table(("", *findings.labels), [(label, *row) for label, row in zip(findings.labels, findings.confusion, strict=False)])
