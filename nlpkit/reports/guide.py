"""A codebook as a guide for annotators, and as a section of the model card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nlpkit.data.codebook import Codebook, LabelWords
from nlpkit.reports.wording import cell


def annotators_guide(codebook: Codebook) -> str:
    """Return a Markdown page by which people label texts as the codebook means it."""
    return "\n".join(_page(codebook))


def label_list(codebook: Codebook) -> str:
    """Return the labels with their descriptions as a Markdown list, for the model card."""
    return "\n".join(
        f"- **{cell(entry.label)}**: {cell(entry.description or entry.spoken)}" for entry in codebook.labels
    )


def _page(codebook: Codebook) -> Iterator[str]:
    yield f"# {cell(codebook.title or 'How to label')}"
    yield ""
    if codebook.question:
        yield from (f"For each text, answer: **{cell(codebook.question)}**", "")
    count = f"{len(codebook.labels):,}"
    yield f"Choose one of {count} labels. Judge what the text says, not what you think of it."
    for entry in codebook.labels:
        yield from _label(entry)
    if codebook.tie_breaks:
        yield from ("", "## When several labels fit", "")
        yield from (f"{number}. {cell(rule)}" for number, rule in enumerate(codebook.tie_breaks, 1))
    yield ""


def _label(entry: LabelWords) -> Iterator[str]:
    yield from ("", f"## {cell(entry.label)}", "")
    if entry.words:
        yield from (f"In words: {cell(entry.words)}.", "")
    yield cell(entry.description or f"The text is about: {entry.spoken}.")
    yield from _list("Examples:", entry.examples)
    yield from _list("Not this label:", entry.excludes)


def _list(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", heading, "", *(f"- {cell(line)}" for line in lines))
