"""The run of a folder that is served: `promoted.json` names it until a better run is verified."""

from __future__ import annotations

import json
from pathlib import Path

from nlpkit.errors import RunError
from nlpkit.files import write_whole
from nlpkit.model_files import refuse_unsafe
from nlpkit.run import Run

FILE = "promoted.json"


def promote(run: Run) -> Path:
    """Write the run's name to `promoted.json` in its parent folder and return that file.

    A reader meanwhile finds the old name or the new one, never a part.
    """
    file = run.path.parent / FILE
    write_whole(file, json.dumps({"run": run.path.name}) + "\n")
    return file


def promoted_run(file: Path) -> Run:
    """Open the run that a `promoted.json` names, relative to the file's folder.

    Raises:
        RunError: there is no such file, it is damaged, or the run does not exist.
    """
    if not file.exists():
        raise RunError(f"{file}: no such file; hint: name the folder of a run, such as runs/bot")
    refuse_unsafe([file], file.parent)
    try:
        name = json.loads(file.read_text(encoding="utf-8"))["run"]
        path = file.parent / name
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"{file}: names no run: {error!r:.200}") from None
    return Run.open(path)
