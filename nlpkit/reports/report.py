"""A report: one frozen value for runs of every task, which goes to JSON and back without loss, and shows
itself.
"""

from __future__ import annotations

import html
from typing import Self

from pydantic import ValidationError

from nlpkit.errors import DataError, first_problem
from nlpkit.reports import old_format
from nlpkit.reports.html import to_html
from nlpkit.reports.markdown import to_markdown
from nlpkit.reports.parts import ReportContent


class Report(ReportContent):
    """Everything that one evaluation of one run on one data set found."""

    def to_json(self) -> str:
        """Return the whole report as JSON; `from_json` gives an equal one back."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the report that `to_json` wrote, in this format or in that of nlpkit 0.1.

        Raises:
            DataError: the text is not such a report, or it is one of a newer nlpkit.
        """
        try:
            old = old_format.read(text)
            return cls.model_validate(dict(old)) if old else cls.model_validate_json(text)
        except ValidationError as error:
            raise DataError(f"not a report that this nlpkit can read: {first_problem(error)}") from error
        except ValueError as error:
            raise DataError(f"not a report that this nlpkit can read: {error}") from error

    def to_markdown(self) -> str:
        """Return the numbers as Markdown tables. Holds no texts of the data."""
        return to_markdown(self)

    def to_html(self) -> str:
        """Return the report as one self-contained page."""
        return to_html(self)

    def _repr_html_(self) -> str:
        """Show the page in a notebook, in a frame of its own: its style stays inside, and nothing runs."""
        page, title = html.escape(self.to_html()), html.escape(f"{self.run} on {self.data}")
        style = "width:100%;height:48rem;border:0;border-radius:14px"
        return f'<iframe title="{title}" sandbox="" style="{style}" srcdoc="{page}"></iframe>'
