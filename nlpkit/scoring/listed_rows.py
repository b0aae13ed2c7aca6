"""One row of output for each element of a list that a model answers with, such as the opinions in a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nlpkit.errors import ConfigError
from nlpkit.scoring.options import RowPer
from nlpkit.scoring.output_columns import Kind
from nlpkit.tasks.answers.family import ColumnType, Listed
from nlpkit.tasks.prediction import OPINIONS

SOURCE_ROW = "source_row"
"""The column of the row of the input that an element was found in: several rows of the output share it."""


@dataclass(frozen=True, kw_only=True)
class AnswerColumns:
    """The columns of a model's answers, and which of them holds the list that makes the rows."""

    kinds: Mapping[str, Kind]
    listed: str | None = None
    """None where an answer is one row."""

    @classmethod
    def of(cls, columns: Mapping[str, ColumnType], row_per: RowPer) -> AnswerColumns:
        """Choose the columns of the output from those that a model fills.

        Raises:
            ConfigError: a row an opinion is asked for, but the model does not answer with one list of them.
        """
        if row_per == "text":
            return cls(
                kinds={name: "json" if isinstance(kind, Listed) else kind for name, kind in columns.items()}
            )
        lists = {name: kind for name, kind in columns.items() if isinstance(kind, Listed)}
        if len(lists) != 1:
            answer = f"several lists, {' and '.join(lists)}" if lists else ", ".join(columns)
            hint = "score each run by itself" if lists else "leave out --row-per"
            raise ConfigError(
                f"--row-per {row_per}: the model answers with {answer}; expected one list of opinions, as of "
                f"a run of the task 'aspects'; hint: {hint}"
            )
        (listed,) = lists
        kinds: dict[str, Kind] = {SOURCE_ROW: "int"}
        kinds |= {name: kind for name, kind in columns.items() if not isinstance(kind, Listed)}
        kinds |= {_stem(listed) + part: kind for part, kind in lists[listed].parts.items()}
        return cls(kinds=kinds, listed=listed)

    def rows(self, answer: Mapping[str, Any], source_row: int) -> Iterator[Mapping[str, Any]]:
        """Yield the answer, or one for each element of its list; of an empty list one without its parts."""
        if self.listed is None:
            yield answer
            return
        elements: Sequence[Mapping[str, Any]] = answer[self.listed] or ({},)
        for element in elements:
            yield {**answer, SOURCE_ROW: source_row, **_flat(element, _stem(self.listed))}


def _stem(column: str) -> str:
    """Return what stands before the name of each part: the name of the run where several answer together."""
    return column.removesuffix(OPINIONS)


def _flat(element: Mapping[str, Any], stem: str) -> dict[str, Any]:
    """Return the parts of an element by column: a span is its text, its start and its end."""
    cells: dict[str, Any] = {}
    for name, value in element.items():
        parts = value.items() if isinstance(value, Mapping) else [("text", value)]
        cells |= {f"{stem}{name}" if key == "text" else f"{stem}{name}_{key}": part for key, part in parts}
    return cells
