"""Files of an object store, scored here: fetched, scored, put back, one after the other."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from nlpkit.data.formats.dataset_folders import data_files, is_data_name
from nlpkit.errors import ConfigError, DataError, RunError, SourceError
from nlpkit.scoring.folder_scoring import RECORDS, REJECTS, FolderTotals
from nlpkit.scoring.job import ScoreSummary
from nlpkit.scoring.predictors import Fleet, Predictor
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.score import score_file
from nlpkit.scoring.state import InputDigest
from nlpkit.sources import cache_folder


def is_remote(path: str) -> bool:
    """Whether a path names a store."""
    return "://" in path


@dataclass(frozen=True, kw_only=True)
class StoreLocation:
    """A file or a folder, here or in a store."""

    name: str
    """As the user says it."""
    fs: Any
    path: str

    @classmethod
    def of(cls, name: str) -> StoreLocation:
        """The place that a path or an address names.

        Raises:
            ConfigError: there is no such kind of store, or what it needs is not installed.
            SourceError: it cannot be reached.
        """
        import fsspec.core

        try:
            fs, path = fsspec.core.url_to_fs(name if is_remote(name) else str(Path(name).absolute()))
        except (ImportError, ValueError) as error:
            raise ConfigError(
                f"{name}: cannot be opened: {error}; cure: pip install what that store needs, or name another"
            ) from error
        except Exception as error:
            raise SourceError(f"{name}: cannot be reached: {error}") from error
        return cls(name=name.rstrip("/"), fs=fs, path=path.rstrip("/"))

    def __truediv__(self, below: str) -> StoreLocation:
        return StoreLocation(name=f"{self.name}/{below}", fs=self.fs, path=f"{self.path}/{below}")

    @property
    def here(self) -> bool:
        """Whether it is on this machine."""
        return not is_remote(self.name)

    def ask(self, what: str, *arguments: object, **options: object) -> Any:
        """What the store answers.

        Raises:
            SourceError: it cannot.
        """
        try:
            return getattr(self.fs, what)(self.path, *arguments, **options)
        except Exception as error:  # each store's library has errors of its own
            raise SourceError(
                f"{self.name}: {what} failed in the store: {error or type(error).__name__}"
            ) from error

    def put(self, file: Path) -> None:
        """Put a file of this machine in this place.

        Raises:
            SourceError: the store does not take it.
        """
        parent = StoreLocation(name=self.name, fs=self.fs, path=self.path.rpartition("/")[0])
        parent.ask("makedirs", exist_ok=True)
        try:
            # A store shows a file when it is whole; a disk does so only after a move.
            fresh = f"{self.path}.new" if self.here else self.path
            self.fs.put_file(str(file), fresh)
            if self.here:
                self.fs.mv(fresh, self.path)
        except Exception as error:
            raise SourceError(
                f"{self.name}: could not be written to the store: {error or type(error).__name__}"
            ) from error


def check_stores(source: str, target: str, *, overwrite: bool) -> list[str]:
    """The names of the input's files below it; a single empty one where it is a file.

    Raises:
        ConfigError: a path cannot be meant, or the output exists.
        DataError: the input is not there, or holds no data files.
        SourceError: a store cannot be reached.
    """
    if "-" in (source, target):
        raise ConfigError(
            "an object store and standard input or output do not go together; expected two paths"
        )
    here, there = StoreLocation.of(source), StoreLocation.of(target)
    if not here.ask("exists"):
        raise DataError(f"{source}: not found")
    if not here.ask("isdir"):
        if there.ask("exists") and not overwrite:
            raise ConfigError(
                f"{target}: exists already; cure: replace it with --overwrite, or name another file"
            )
        return [""]
    if here.fs is there.fs and f"{there.path}/".startswith(f"{here.path}/"):
        raise ConfigError(
            f"{target}: lies in the folder that is scored, {source}; expected a folder beside it"
        )
    if not is_remote(source):
        files = [file.relative_to(source).as_posix() for file in data_files(Path(source))]
    else:
        below = sorted(str(path).removeprefix(here.path).lstrip("/") for path in here.ask("find"))
        files = [path for path in below if is_data_name(PurePosixPath(path))]
    if not files:
        raise DataError(f"{source}: holds no data files; expected CSV, TSV, JSON Lines, Parquet or Arrow")
    return files


def score_stored(
    classifier: Predictor | Fleet,
    source: str,
    target: str,
    *,
    overwrite: bool = False,
    rejects: Path | None = None,
    budget: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> ScoreSummary:
    """The summary of all files; `options` are those of `score_file`.

    Raises:
        NlpkitError: as `score_file` and `check_stores`.
    """
    files = check_stores(source, target, overwrite=overwrite)
    if rejects is not None:
        raise ConfigError(
            f"--rejects {rejects}: rejected rows go beside an output in a store; cure: leave it out"
        )
    here, there = StoreLocation.of(source), StoreLocation.of(target)
    asked = {
        "model": classifier.fingerprint,
        **{name: str(value) for name, value in options.items() if name != "on_error"},
    }

    def score(file: str, **more: Any) -> ScoreSummary:
        one = _One(
            source=here / file if file else here,
            target=there / file if file else there,
            rejects=there / f"{REJECTS}/{file}.rejects.jsonl"
            if file
            else StoreLocation.of(f"{there.name}.rejects.jsonl"),
            record=there / f"{RECORDS}/{file}.json" if file else None,
        )
        return one.score(classifier, asked, overwrite=overwrite, **options, **more)

    whole = FolderTotals(progress, total=None)
    found = whole.of((functools.partial(score, file) for file in files), budget)
    aside = f"{there.name}/{REJECTS}" if files != [""] else f"{there.name}.rejects.jsonl"
    return replace(found, output=there.name, rejects=aside if found.rejected else None)


@dataclass(frozen=True, kw_only=True)
class _One:
    """One file to score."""

    source: StoreLocation
    target: StoreLocation
    rejects: StoreLocation
    record: StoreLocation | None
    """Of a folder's file: how it was made, and its summary."""

    def score(
        self, classifier: Predictor | Fleet, asked: dict[str, str], *, overwrite: bool, **options: Any
    ) -> ScoreSummary:
        """The summary, once the output is in its place."""
        key = self._key()
        if done := self._done_before({**asked, "input": key}, overwrite=overwrite):
            return done
        with self._work_folder(key) as folder:
            file = self._fetch(folder / "in" / PurePosixPath(self.source.path).name)
            made = folder / "out" / PurePosixPath(self.target.path).name
            # With the record a repeat puts what is whole already, where a kill came before it was put.
            found = score_file(
                classifier,
                file,
                made,
                record=folder / "record.json",
                rejects=folder / "rejects.jsonl",
                **options,
            )
            if found.rejects:
                self.rejects.put(Path(found.rejects))
            self.target.put(made)
            if self.record:
                kept = {
                    **asked,
                    "input": key,
                    "rows": found.rows,
                    "rejected": found.rejected,
                    "partly_read": found.partly_read,
                }
                (folder / "kept.json").write_text(
                    json.dumps({**kept, "budget": found.budget}), encoding="utf-8"
                )
                self.record.put(folder / "kept.json")
        return found

    def _key(self) -> str:
        """Changes with the content of the input, as far as a store tells."""
        return (
            InputDigest.of(Path(self.source.path)).sha256
            if self.source.here
            else str(self.source.ask("ukey"))
        )

    def _done_before(self, asked: dict[str, str], *, overwrite: bool) -> ScoreSummary | None:
        if (overwrite and not self.record) or not self.target.ask("exists"):
            return None
        kept = json.loads(self.record.ask("cat_file")) if self.record and self.record.ask("exists") else None
        if kept and {name: kept.get(name) for name in asked} == asked:
            counts = {name: int(kept[name]) for name in ("rows", "rejected", "partly_read")}
            before = counts["rows"] + counts["rejected"]
            return ScoreSummary(
                **counts,
                seconds=0.0,
                texts_per_second=0.0,
                resumed_from=before,
                output=None,
                rejects=None,
                budget=kept["budget"],
            )
        if overwrite:
            return None
        if kept is None:
            raise ConfigError(
                f"{self.target.name}: exists already; cure: replace it with --overwrite, or name another place"
            )
        changed = ", ".join(name for name in asked if kept.get(name) != asked[name])
        raise RunError(
            f"{self.target.name}: was scored with another {changed}; cure: score it anew with --overwrite"
        )

    @contextmanager
    def _work_folder(self, key: str) -> Iterator[Path]:
        """Where the unfinished work lies; it goes when the output is in its place."""
        name = hashlib.sha256(f"{self.source.name}\n{self.target.name}\n{key}".encode()).hexdigest()[:24]
        folder = cache_folder() / "scoring" / name
        (folder / "in").mkdir(parents=True, exist_ok=True)
        (folder / "out").mkdir(exist_ok=True)
        yield folder
        shutil.rmtree(folder)

    def _fetch(self, file: Path) -> Path:
        if self.source.here:
            return Path(self.source.path)
        if not file.exists():
            fresh = file.with_name(f"{file.name}.new")
            self.source.ask("get_file", str(fresh))
            fresh.rename(file)
        return file
