"""What a report is made of, as frozen values: `report.Report` adds how it is read, written and shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AliasChoices, AwareDatetime, ConfigDict, Field

from nlpkit.metrics.score import PairedTest, Part, Score
from nlpkit.reports.sections import Place, Section

Verdict: TypeAlias = Literal["better", "worse", "differs", "even"]


class Baseline(Part):
    """A named run, model or method on the same rows, with a test of each difference: run minus baseline."""

    name: str
    scores: dict[str, Score]
    tests: dict[str, PairedTest] = Field(default={})
    details: dict[str, Score] = Field(default={})
    """Scores that stand in sections."""
    constant: bool = False
    """Whether it is the best answer that is the same for every text."""


class Headline(Part):
    """A number on top of the page."""

    score: Score
    title: str
    unit: str = ""
    baseline: Score | None = None
    """The same of the first baseline."""
    verdict: Verdict | None = None
    tag: str = ""
    """The verdict in a word."""
    note: str = ""


class Step(Part):
    """One point of the learning curve."""

    step: Annotated[int, Field(ge=0, le=10**15)]
    epoch: float | None = None
    loss: Place | None = None
    """Training loss since the last point that has one."""
    metrics: dict[str, Place] = Field(default={})
    """On the validation rows."""


class SourceCard(Part):
    """Where rows came from."""

    model_config: ClassVar[ConfigDict] = ConfigDict(populate_by_name=True)

    name: str
    rows: int | None = None
    license: str = Field(default="", validation_alias=AliasChoices("license", "licence"))  # an old name
    origin: str = ""


class DataCard(Part):
    """What was trained on and measured on."""

    counts: dict[str, int] = Field(default={})
    """Rows of each split."""
    balance: dict[str, dict[str, int]] = Field(default={})
    """Rows of each label in each split."""
    sources: tuple[SourceCard, ...] = ()
    dropped: dict[str, int] = Field(default={})
    """Rows left out, by reason, such as near-duplicates across splits."""
    notes: tuple[str, ...] = ()
    unit: str = "texts"
    """What a row is, in the plural."""


class Overlap(Part):
    """How many of the texts that were measured on the run was trained on."""

    trained_on: int | None
    """Equal ones, case and punctuation aside; None where the run keeps no hashes of its training texts."""
    of: int

    def in_words(self, name: str, unit: str) -> str:
        """Return it as a sentence about the run of that name."""
        if self.trained_on is None:
            return f"Whether {name} was trained on any of these {unit} is not known."
        if not self.trained_on:
            return f"{name} was trained on none of the {self.of:,} {unit}."
        share = self.trained_on / self.of
        return (
            f"{name} was trained on {self.trained_on:,} of the {self.of:,} {unit} ({share:.1%}): "
            "its scores are too good"
        )


class Cost(Part):
    """What it took."""

    device: str = ""
    train_seconds: float | None = None
    peak_memory_mb: float | None = None
    texts_per_second: float | None = None
    requests: int | None = None
    """To the server that answers in place of a model; this and what follows for the texts that were measured
    on."""
    seconds_per_text: float | None = None
    """From asking the server to its answer."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    dollars: float | None = None
    trainable_parameters: int | None = None
    total_parameters: int | None = None


class ReportContent(Part):
    """Everything that one evaluation of one run on one data set found."""

    format: Literal[2] = 2
    """The version of the JSON."""
    run: str
    data: str
    task: str
    """The kind of the task, such as polarity or dialogue."""
    what: str = "Evaluation"
    """What kind of report it is, as its page says."""
    title: str = ""
    """The heading of its page; default: the run's name."""
    method: str = ""
    """How its intervals are made, at the end of its page; default: as an evaluation makes them."""
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    seed: int | None = None
    unit: str = "texts"
    """What was measured on, in the plural."""
    measured: str = ""
    """How much that was, in words, where that is more than a count."""
    left_out: int = 0
    """Rows of the data that could not be used."""
    summary: tuple[str, ...] = ()
    """The answer in plain sentences: how good, compared with what, and how far it can be trusted."""
    warnings: tuple[str, ...] = ()
    """What makes the run or its scores useless, in plain sentences: shown first."""
    overlap: Overlap | None = None
    """None in older reports."""
    scores: dict[str, Score]
    """In the order in which they are shown."""
    details: dict[str, Score] = Field(default={})
    """Further scores, which stand in sections."""
    headlines: tuple[Headline, ...] = ()
    """On top of the page; without any, all scores."""
    sections: tuple[Section, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    limits: tuple[str, ...] = ()
    """What to beware of, for the model card."""
    curve: tuple[Step, ...] = ()
    data_card: DataCard = DataCard()
    cost: Cost = Cost()
    config: str = ""
    """The resolved config, as YAML."""
    versions: dict[str, str] = Field(default={})

    @property
    def size(self) -> str:
        """How much the numbers are of, in words."""
        count = max((score.count for score in self.scores.values()), default=0)
        measured = self.measured or f"{count:,} {self.unit}"
        return f"{measured} ({self.left_out:,} left out)" if self.left_out else measured
