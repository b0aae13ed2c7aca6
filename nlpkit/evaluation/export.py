"""Export a run of any task for other programs, or for faster runtimes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from nlpkit.classifiers.cascade import cascade_record, identity_of_member
from nlpkit.classifiers.export import export_run
from nlpkit.classifiers.loading import default_run
from nlpkit.classifiers.opening import export_path
from nlpkit.classifiers.runtimes import EXPORTS
from nlpkit.errors import ConfigError, nearest
from nlpkit.generation.export_chat import export_chat_model
from nlpkit.generation.runtimes import EXPORTS as CHAT_EXPORTS
from nlpkit.run import Run
from nlpkit.tasks.task import task_from


def export(
    run: Run | Path | str | None = None,
    to: str = "onnx",
    output: Path | str | None = None,
    *,
    force: bool = False,
    talk: Callable[[str], None] | None = None,
) -> Path:
    """Export a run with its adapter merged, verify the export on held-out rows, and return its folder.

        nlpkit.export("runs/mine", "onnx-int8", "mine-int8")

    Args:
        run: a completed run, or its folder; default: the built-in classifier.
        to: the runtime or format, as for `nlpkit export --to`.
        output: a new folder; default: the cache, where scoring, prediction and chat look for it.
        force: keep an export that fails its parity check; its README says so.
        talk: gets lines for people.

    Raises:
        ConfigError: the run has no such export, or the package for it is not installed.
        RunError: the run is refused, or its export fails the parity check.
        SourceError: the base of the run can't be fetched.
    """
    opened = default_run() if run is None else run if isinstance(run, Run) else Run.open(run)
    served_by = task_from(opened.read().task).family.served_by
    forms = tuple(CHAT_EXPORTS if served_by == "chat model" else EXPORTS)
    if to not in forms:
        raise ConfigError(
            f"{opened.path}: a {served_by} has no export {to!r}{nearest(to, forms)}; hint: --to {forms[0]}"
        )
    folder = None if output is None else Path(output)
    if force and folder is None:
        raise ConfigError(
            "an export that fails its parity check does not go to the cache, where it would be used unasked; "
            "hint: -o FOLDER"
        )
    if served_by == "chat model":
        return export_chat_model(opened, to, folder, force=force, talk=talk)
    if folder is None and not EXPORTS[to].is_cached:
        raise ConfigError(f"the export {to} goes to a folder of yours; hint: -o FOLDER")
    if opened.read().cascade:
        return _export_cascade(opened, to, folder, force=force, talk=talk)
    return export_run(opened, to, folder or export_path(opened, to), force=force, talk=talk)


def _export_cascade(
    run: Run, to: str, folder: Path | None, *, force: bool, talk: Callable[[str], None] | None
) -> Path:
    """Export both runs: into the cache, where the cascade looks for them, or as a cascade of two exports."""
    record = cascade_record(run)
    if folder is None:
        for member in run.members:
            export(member, to, talk=talk)
        return run.path
    if folder.exists():
        raise ConfigError(f"{folder}: exists already; hint: name another folder, or delete it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as name:
        made = Run(Path(name) / "export")
        made.path.mkdir()
        for member, target in zip(run.members, made.members, strict=True):
            export(member, to, target, force=force, talk=talk)
        fast, slow = (identity_of_member(member) for member in made.members)
        shutil.copyfile(run.config, made.config)
        exported = record.model_copy(update={"members": (fast, slow)}).model_dump(mode="json")
        made.finish(run.read().model_copy(update={"cascade": exported}))
        made.path.rename(folder)  # complete from its first moment
    return folder
