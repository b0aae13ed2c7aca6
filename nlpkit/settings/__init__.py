"""The settings that recipes share: of a run and a search here, of data and of training in modules.

A recipe's own config is made of these and stands in the recipe's file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator


class Settings(BaseModel):
    """A frozen part of a config: an unknown key is an error."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,  # a prediction reads no settings
    )


Scalar: TypeAlias = str | bool | int | float | None


class Range(Settings):
    """Numbers to search in: whole ones where both ends are whole."""

    low: int | float
    """The first value that is tried."""
    high: int | float
    """The last value that is tried."""
    log: bool = False
    """Try as many values from 0.001 to 0.01 as from 0.01 to 0.1."""

    @model_validator(mode="after")
    def _from_low_to_high(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"expected low below high, found low {self.low:g} and high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"log: true needs a low above 0, found {self.low:g}")
        return self

    def holds(self, value: object) -> bool:
        """Return whether a value is one that may be tried."""
        kinds = (int,) if isinstance(self.low, int) and isinstance(self.high, int) else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and self.low <= value <= self.high


def _kind_of_space(values: object) -> str:
    return "range" if isinstance(values, (dict, Range)) else "choices"


Space: TypeAlias = Annotated[
    Annotated[Range, Tag("range")] | Annotated[tuple[Scalar, ...], Tag("choices")],
    Discriminator(_kind_of_space),
]


class Search(Settings):
    """Settings to search for, and how long."""

    space: Annotated[dict[str, Space], Field(min_length=1)]
    """Dotted keys of the config, each with a list of choices or with `{low: 1e-4, high: 2e-3, log: true}`."""
    trials: Annotated[int, Field(ge=1)] = 30
    """How many settings are tried; a larger number continues a finished search."""
    pruner: Literal["median", "none"] = "median"
    """`median`: stop a trial whose validation score is below the median of earlier ones at that moment."""
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """The share of rows to report on, where the config has no rows for it; no trial sees them."""


class RunSettings(Settings):
    """What every recipe's config says of its runs."""

    recipe: str
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """The run's folder inside `output`."""
    seed: int = 1
    """Splits and samples the data."""
    output: Path = Path("runs")
    text_hashes: bool = True
    """Keep hashes of the training texts, by which an evaluation finds rows that were trained on."""
    search: Annotated[Search | None, Field(exclude_if=lambda search: search is None)] = None
    """Settings to search for: see docs/search.md."""


class SeededSettings(RunSettings):
    """A config that may train several runs, one a seed."""

    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    """Draw new weights and batches: one run each; several give a mean and a standard deviation."""
