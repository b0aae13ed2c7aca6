"""What an evaluation found, as one frozen value that goes to JSON and back without loss, and to Markdown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import AwareDatetime, Field, ValidationError

from nlpkit.errors import DataError
from nlpkit.metrics.score import Bin, PairedTest, Part, Score, Share
from nlpkit.reports import wording


class Baseline(Part):
    """A named run or method on the same rows, with a test of each difference."""

    name: str
    scores: dict[str, Score]
    tests: dict[str, PairedTest] = Field(default={})


class ClassScore(Part):
    """How one label fares; None where a ratio would be over nothing."""

    label: str
    precision: Share | None
    recall: Share | None
    f1: Share | None
    support: int


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
    metrics: dict[str, float] = Field(default={})
    """On the validation rows."""


class SourceCard(Part):
    """Where rows came from."""

    name: str
    rows: int | None = None
    licence: str = ""
    origin: str = ""


class DataCard(Part):
    """What was learnt from and measured on."""

    counts: dict[str, int] = Field(default={})
    """Rows of each split."""
    balance: dict[str, dict[str, int]] = Field(default={})
    """Rows of each label in each split."""
    sources: tuple[SourceCard, ...] = ()
    dropped: dict[str, int] = Field(default={})
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


class Document(Part):
    """A part that is a file of its own."""

    def to_json(self) -> str:
        """The whole report; `from_json` gives an equal one back."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
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


class Report(Document):
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
    versions: dict[str, str] = Field(default={})

    def to_markdown(self) -> str:
        """The numbers as Markdown tables: scores, baselines, labels, confusion, data, cost and versions. Holds no texts."""
        parts = [
            f"# {wording.cell(self.run)} on {wording.cell(self.data)}",
            f"{max((score.count for score in self.scores.values()), default=0):,} texts, {self.created:%Y-%m-%d %H:%M %Z}.",
            wording.score_table(self.scores),
            *(
                wording.section(f"Against {one.name}", wording.rival_table(self.scores, one))
                for one in self.baselines
            ),
            wording.section("Labels", wording.class_table(self.findings)),
            wording.section(
                "Confusion (rows: truth, columns: predicted)", wording.confusion_table(self.findings)
            ),
            *wording.closing_sections(self.data_card, self.cost, self.versions),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"
