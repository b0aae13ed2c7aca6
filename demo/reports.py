"""The reports of runs, shut in a frame in which nothing runs and from which nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from nlpkit.errors import RunError
from nlpkit.run import Run

LARGEST = 20_000_000
"""Bytes of a report that are shown; a larger one can be opened from disk."""
DEEPEST = 3
"""Folders below the one that was named: runs/NAME, runs/NAME/seed-1."""


@dataclass(frozen=True, kw_only=True)
class FoundRun:
    """A completed run that has a report."""

    name: str
    path: Path
    recipe: str
    created: str


def find_runs(folder: Path) -> list[FoundRun]:
    """Return the completed runs below a folder that have a report, newest first; links are not followed."""
    runs = []
    for marker in _markers(folder, DEEPEST):
        run = Run(marker.parent)
        try:
            record = run.read()
        except RunError:
            continue
        if run.report.is_file() and not run.report.is_symlink():
            name = marker.parent.relative_to(folder).as_posix()
            runs.append(
                FoundRun(
                    name=run.name if name == "." else name,
                    path=run.path,
                    recipe=record.recipe,
                    created=record.created,
                )
            )
    return sorted(runs, key=lambda run: (run.created, run.name), reverse=True)


def _markers(folder: Path, depth: int) -> list[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return []
    here = [Run(folder).marker] if Run(folder).marker.is_file() else []
    below = [
        path
        for path in inside
        if depth and path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
    ]
    return here + [marker for path in below for marker in _markers(path, depth - 1)]


def frame(run: FoundRun) -> str:
    """Return the report in a frame.

    `sandbox` without a word in it allows no script, no form, no link out and no storage.
    """
    report = Run(run.path).report
    size = report.stat().st_size
    if size > LARGEST:
        advice = f"Open it from disk: {escape(str(report))}"
        return f'<p class="quiet">The report has {size:,} bytes, more than are shown here. {advice}</p>'
    page = escape(report.read_text(encoding="utf-8", errors="replace"), quote=True)
    title = escape(f"Report of {run.name}", quote=True)
    attributes = f'class="report" title="{title}" sandbox="" referrerpolicy="no-referrer"'
    return f'<iframe {attributes} srcdoc="{page}"></iframe>'
