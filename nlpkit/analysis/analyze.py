"""Analyze a file: one page that answers what share, since when, where and what to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from nlpkit.analysis.about import what_it_is_about
from nlpkit.analysis.correction import correction_for
from nlpkit.analysis.counts import Counts, count
from nlpkit.analysis.findings import Findings, find
from nlpkit.analysis.page import notes_of, report_of
from nlpkit.analysis.passes import Passes
from nlpkit.analysis.scored_input import refuse_columns, refuse_label, scored_input
from nlpkit.analysis.study import Study
from nlpkit.analysis.survey import survey
from nlpkit.analysis.tables import ROWS, tables_of, write_tables
from nlpkit.analysis.themes import theme_choice
from nlpkit.analysis.to_read import choose, with_words
from nlpkit.data.dates import Order, Period
from nlpkit.errors import ConfigError
from nlpkit.files import fingerprint, only_writer, refuse_path, sha256_of, write_whole
from nlpkit.reports.report import Report
from nlpkit.run import versions
from nlpkit.scoring.options import ScoreOptions
from nlpkit.trust.cell_shares import CellShares

NEGATIVE = "negative"


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What an analysis found, and where it is written."""

    page: Path
    tables: Path
    """The folder of tables."""
    sentences: tuple[str, ...]
    """What was found; the first sentence is the answer."""
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    """What was left out."""
    report: Report
    findings: Findings

    def as_dict(self) -> dict[str, Any]:
        """Return the sentences and paths as plain values."""
        return {
            "page": str(self.page),
            "tables": str(self.tables),
            "sentences": list(self.sentences),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }


def analyze(
    source: Path | str,
    output: Path | str = "report.html",
    run: Path | str | None = None,
    *,
    text: str = "text",
    by: Sequence[str] = (),
    time: str | None = None,
    every: Period | None = None,
    date_order: Order | None = None,
    about: str | None = None,
    unit: str = "texts",
    held_out: Path | str | None = None,
    tables: Path | str | None = None,
    mask: bool = False,
    words: bool = True,
    themes: int | str = "none",
    aspects: Path | str | None = None,
    runtime: str = "auto",
    format: str | None = None,
    encoding: str | None = None,
    overwrite: bool = False,
    today: date | None = None,
    seed: int = 1,
    talk: Callable[[str], None] = lambda line: None,
    progress: Callable[[str, int, int | None], None] = lambda what, done, total: None,
    **fields: Any,
) -> Analysis:
    """Analyze a file or a folder, and write a page and a folder of tables.

        nlpkit.analyze("reviews.csv", "report.html", "runs/mine", by=["product"], time="date")

    Args:
        source: texts, which are scored first; or what `nlpkit score` has made of them.
        output: the page, HTML.
        run: of a classifier that gives labels; default: the built-in one, or none for a scored file.
        text: the column that holds the text.
        by: columns whose values get shares of their own, each alone and all crossed.
        time: the column of dates.
        every: the periods of the series; default: as suits the span of the dates.
        date_order: what comes first in 03/04/2026; default: as the other dates show.
        about: the label that the first sentence is about; default: negative, else the most frequent one.
        unit: what a row is, in the plural, such as reviews.
        held_out: labeled rows that the run was not trained on; default: those of its training.
        tables: the folder of tables; default: next to the page, `report.tables`.
        mask: mask e-mail and IP addresses, phone and card numbers and access tokens in the texts that are
            shown.
        words: mark the words that drove the labels of the texts that are shown.
        themes: how many themes are looked for; `auto` for as many as there are, `none` for none.
        aspects: a run that finds opinions: their aspects are counted.
        runtime: as for `nlpkit score`.
        format: of the source, where its name does not show it.
        encoding: of a source that is not UTF-8.
        overwrite: replace a page that exists, and answers that were made with other settings.
        today: dates after it are in the future; default: the day of this machine, in UTC.
        seed: draws resamples and samples.
        talk: gets lines for people.
        progress: called with what is done, how many rows of it are, and of how many.
        fields: settings of the source of `held_out`, such as `label`.

    Raises:
        ConfigError: a path or an option is invalid.
        DataError: a file or a row is wrong, or there are fewer than 10 texts.
        RunError: the run does not answer with labels.
        NlpkitError: another process writes the page.
    """
    source, output, by = Path(source), Path(output), tuple(dict.fromkeys(by))
    asked = theme_choice(themes)
    folder = output.with_suffix(".tables") if tables is None else Path(tables)
    _refuse_output(source, output, folder, overwrite=overwrite)
    refuse_columns(source, by, time, every, date_order, format, encoding)
    with only_writer(output, folder / ".lock"):
        options = ScoreOptions(text=text, format=format, encoding=encoding, overwrite=overwrite)
        rows, opened, classifier = scored_input(
            source, run, folder, options, by=by, time=time, runtime=runtime, talk=talk,
            progress=lambda at: progress("scoring", at.rows, at.total),
        )  # fmt: skip
        refuse_label(about, rows.labels)
        today = today or datetime.now(UTC).date()
        file = sha256_of(rows.files)
        passes = Passes(
            folder / ".passes", file=file, rows=[str(source), text, by, time, rows.labels, rows.prefix],
            every=every, order=date_order, today=today, seed=seed, versions=versions(),
        )  # fmt: skip
        plan = survey(rows, passes, every=every, order=date_order, today=today)
        counts = count(
            rows, plan, passes, listed=folder / ROWS, seed=seed,
            progress=lambda done: progress("counting", done, None),
        )  # fmt: skip
        correction = correction_for(
            opened, classifier, counts.whole, held_out, fields, is_set=rows.is_set, seed=seed
        )
        shares = CellShares(len(rows.labels), correction.rows, is_set=rows.is_set, seed=seed)
        findings = find(counts, plan, shares, rows.labels, seed=seed)
        label = about or _default_label(rows.labels, counts)
        chosen = choose(counts, rows.labels, about=label, is_masked=mask, seed=seed)
        if words and classifier:
            chosen = with_words(chosen, classifier)
        study = Study(
            rows=rows, run=classifier.name if classifier else "the columns of a scored file", unit=unit,
            label=label, findings=findings, plan=plan, correction=correction, chosen=chosen,
            about=what_it_is_about(
                rows, plan, passes, findings, label=label, themes=asked, aspects=aspects, folder=folder,
                seed=seed, progress=progress,
            ),
            hash=fingerprint({
                "file": file, "run": classifier.fingerprint if classifier else "",
                "rows": [text, by, time, rows.labels], "plan": [plan.every, plan.order, str(plan.today)],
                "held out": str(held_out or ""), "versions": versions(), "seed": seed, "themes": asked,
                "aspects": str(aspects or ""),
            }),
            tables=folder.name, is_masked=mask, seed=seed,
        )  # fmt: skip
        analysis = _write(study, output, folder)
        passes.remove()
        return analysis


def _default_label(labels: Sequence[str], counts: Counts) -> str:
    """Return what the first sentence is about: the label negative, else the most frequent one."""
    return NEGATIVE if NEGATIVE in labels else labels[int(counts.whole.given.argmax())]


def _write(study: Study, output: Path, folder: Path) -> Analysis:
    """Write the tables, and then the page."""
    report = report_of(study)
    write_tables(folder, tables_of(study))
    write_whole(folder / "report.json", report.to_json())
    write_whole(output, report.to_html())
    return Analysis(
        page=output, tables=folder, sentences=report.summary, warnings=report.warnings,
        notes=notes_of(study), report=report, findings=study.findings,
    )  # fmt: skip


def _refuse_output(source: Path, output: Path, folder: Path, *, overwrite: bool) -> None:
    if output.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{output}: expected a name that ends in .html; hint: -o report.html")
    refuse_path(output, {"the input": source}, hint="name another page, as with -o report.html")
    if output.exists() and not folder.is_dir() and not overwrite:
        raise ConfigError(f"{output}: exists already; hint: replace it with --overwrite, or name another")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; expected a folder for tables; hint: --tables FOLDER")
