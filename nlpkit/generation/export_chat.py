"""Export chat models: write, compare with the trained model, and only then put in place."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from nlpkit.errors import ConfigError
from nlpkit.files import fingerprint, sha256_of, write_whole
from nlpkit.generation.chat_parity import ChatParity, check_parity, require_parity
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.runtimes import EXPORTS, ChatRuntime
from nlpkit.models.adapter import WEIGHTS
from nlpkit.models.runtimes import find_runtime
from nlpkit.run import Run
from nlpkit.sources import cache_folder

Talk = Callable[[str], None]


def export_chat_model(
    run: Run, to: str, folder: Path | None, *, force: bool = False, talk: Talk | None = None
) -> Path:
    """Export a dialogue run and return the folder.

    Args:
        run: a completed dialogue run.
        to: a name in EXPORTS.
        folder: a new folder; None: the cache, where `nlpkit chat --runtime` looks for it.
        force: write the export even if it fails the parity check.
        talk: gets progress messages.

    Raises:
        ConfigError: the folder exists, none is given for a merged model, or the exporter is not installed.
        RunError: the run cannot be exported, or its export fails the parity check.
    """
    runtime = find_runtime(to, EXPORTS)
    if folder is None:
        if not runtime.is_runtime:
            raise ConfigError(f"an export to {to} needs a folder; hint: -o FOLDER")
        return cached_export(
            run.name, chat_identity(run), runtime, lambda: LanguageModel.load(run), talk=talk
        )
    if folder.exists():
        raise ConfigError(f"{folder}: exists already; hint: choose another folder, or delete it")
    if runtime.package:
        runtime.library()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        export = Path(scratch) / "export"
        parity = _write(LanguageModel.load(run), runtime, export)
        require_parity(parity, f"{run.name} to {to}", force=force)
        write_whole(export / "README.md", _card(run, to, parity))
        export.rename(folder)  # complete from its first moment
    if talk:
        talk(f"exported {run.name} to {to}: {parity.summary()}")
    return folder


def cached_export(
    name: str,
    identity: Mapping[str, str],
    runtime: ChatRuntime,
    load: Callable[[], LanguageModel],
    *,
    talk: Talk | None = None,
) -> Path:
    """Return the folder of a model exported for a runtime, from the cache or exported now.

    Args:
        name: of the run or the base.
        identity: what the replies come from; another adapter or base is another export.
        runtime: its row.
        load: returns the model; called only if there is no export yet.
        talk: gets progress messages.

    Raises:
        ConfigError: the runtime is not installed.
        RunError: the model cannot be exported, or the export fails the parity check.
    """
    folder = export_folder(name, identity, runtime)
    if folder.is_dir():
        return folder
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                export = Path(scratch) / "export"
                parity = _write(load(), runtime, export)
                require_parity(parity, f"{name} to {runtime.name}", force=False)
                export.rename(folder)  # complete from its first moment
                if talk:
                    talk(f"exported {name} to {runtime.name}: {parity.summary()}")
    return folder


def export_folder(name: str, identity: Mapping[str, str], runtime: ChatRuntime) -> Path:
    """Return the folder of the cache in which an export is, or would be.

    Raises:
        ConfigError: the runtime is not installed.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).name)
    key = fingerprint(
        {
            **identity,
            "precision": runtime.precision,
            "builder": runtime.library().__version__,
            "options": list(runtime.options),
        }
    )
    return cache_folder() / "onnx" / f"{name}-{runtime.precision}-{key}"


def chat_identity(run: Run) -> dict[str, str]:
    """Return what a run's replies come from: hashes of its base and its adapter."""
    return {"base": run.read().base.weights_sha256, "adapter": sha256_of([run.adapter / WEIGHTS])}


def _write(language: LanguageModel, runtime: ChatRuntime, folder: Path) -> ChatParity:
    """Write an export, open it as the chat opens it, and compare it with its model."""
    if runtime.write is None or runtime.open is None:
        raise ValueError(f"{runtime.name}: not an export")
    runtime.write(runtime, language, folder)
    decoder = runtime.open(runtime, folder, language.window, language.threads)
    return check_parity(language, folder, decoder, runtime)


def _card(run: Run, to: str, parity: ChatParity) -> str:
    failed = "".join(f"\n**Not like its run:** {failure}.\n" for failure in parity.failures)
    return f"# {run.name}, exported to {to}\n{failed}\nCompared with the run: {parity.summary()}.\n"
