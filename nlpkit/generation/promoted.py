"""Which run of a folder is the one to serve: `promoted.json` names it, and changes only when a better one has been proved."""

from __future__ import annotations

import json
from pathlib import Path

from nlpkit.errors import RunError
from nlpkit.files import write_whole
from nlpkit.run import Run

FILE = "promoted.json"


def promote(run: Run) -> Path:
    """The file beside the run that from now on names it; whoever reads meanwhile finds the old name or the new one."""
    file = run.path.parent / FILE
    write_whole(file, json.dumps({"run": run.path.name}) + "\n")
    return file


def promoted_run(file: Path) -> Run:
    """The run that a `promoted.json` names; its path is told from the folder that the file lies in.

    Raises:
        RunError: there is no such file, it is damaged, or the run is not there.
    """
    try:
        name = json.loads(file.read_text(encoding="utf-8"))["run"]
        path = file.parent / name
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file}: names no run: {error!r:.200}") from None
    return Run.open(path)
