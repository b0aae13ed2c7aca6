"""Score what a path means: a file, a folder, or either in an object store (s3://, gs://, memory://: whatever fsspec reaches).

What lies in a store is fetched into nlpkit's cache, scored there and put back, file by file. The unfinished work on a file stays in the
cache of this machine, so that the same command goes on from there; finished files of a folder are passed over wherever it is repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nlpkit.errors import ConfigError
from nlpkit.scoring.folder_scoring import check_folders, score_folder
from nlpkit.scoring.paths import STREAM, check_paths
from nlpkit.scoring.predictors import Fleet, Predictor
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.score import ScoreSummary, score_file
from nlpkit.scoring.stores import check_stores, is_remote, score_stored


def check_location(source: str, target: str, **options: Any) -> None:
    """Nothing, where the input and the output can be used, as far as that can be said without a model.

    Raises:
        ConfigError: a path or a format cannot be meant, or what a store needs is not installed.
        DataError: the input is not there or cannot be read.
        SourceError: a store cannot be reached.
    """
    source, target = _plain(source), _plain(target)
    if is_remote(source) or is_remote(target):
        check_stores(source, target, overwrite=options.get("overwrite", False))
    elif _is_folder(source):
        _refuse_formats(source, options)
        check_folders(
            Path(source),
            Path(target),
            text_column=options.get("text_column", "text"),
            encoding=options.get("encoding"),
        )
    else:
        check_paths(source, target, **options)


def score_location(
    classifier: Predictor | Fleet,
    source: str,
    target: str,
    *,
    progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> ScoreSummary:
    """The summary of a scoring, of a file or of all files of a folder, wherever they lie; `options` are those of `score_file`.

    Raises:
        NlpkitError: as `score_file` and `check_location`.
    """
    source, target = _plain(source), _plain(target)
    if is_remote(source) or is_remote(target):
        return score_stored(classifier, source, target, progress=progress, **options)
    if not _is_folder(source):
        return score_file(classifier, source, target, progress=progress, **options)
    _refuse_formats(source, options)
    kept = {name: value for name, value in options.items() if name not in ("format", "output_format")}
    return score_folder(classifier, source, target, progress=progress, **kept)


def _plain(path: str) -> str:
    return path.removeprefix("file://")


def _is_folder(source: str) -> bool:
    return source != STREAM and Path(source).is_dir()


def _refuse_formats(source: str, options: dict[str, Any]) -> None:
    if options.get("format") or options.get("output_format"):
        raise ConfigError(
            f"{source}: the files of a folder keep the formats that their names tell; cure: leave the format out"
        )
