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

from nlpkit.data.dataset_folders import data_files, is_data_name
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.scoring.chunks import Fleet
from nlpkit.scoring.folder_scoring import RECORDS, REJECTS, FolderTotals
from nlpkit.scoring.job import ScoreSummary
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.output import unfinished
from nlpkit.scoring.predictors import Predictor
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.score import plan_file
from nlpkit.scoring.state import InputDigest, begun_with
from nlpkit.scoring.store_location import StoreLocation, is_remote
from nlpkit.sources import cache_folder


def plan_stores(source: str, target: str, options: ScoreOptions) -> StorePlan:
    """Check what can be checked of files in a store without fetching them.

    Raises:
        ConfigError: a path is invalid, or the output exists.
        DataError: the input is not there, or holds no data files.
        SourceError: a store cannot be reached.
    """
    if options.rejects is not None:
        raise ConfigError(
            f"--rejects {options.rejects}: rejected rows go next to an output in a store; "
            "hint: leave out --rejects"
        )
    if "-" in (source, target):
        raise ConfigError(
            "an object store and standard input or output do not go together; expected two paths"
        )
    here, there = StoreLocation.of(source), StoreLocation.of(target)
    plan = StorePlan(source=here, target=there, files=("",), options=options)
    if not here.ask("exists"):
        raise DataError(f"{source}: not found")
    if not here.ask("isdir"):
        if there.ask("exists") and not options.overwrite:
            raise ConfigError(
                f"{target}: exists already; hint: replace it with --overwrite, or name another file"
            )
        return plan
    if here.fs is there.fs and f"{there.path}/".startswith(f"{here.path}/"):
        raise ConfigError(
            f"{target}: lies in the folder that is scored, {source}; expected a folder outside it"
        )
    if not is_remote(source):
        files = [file.relative_to(source).as_posix() for file in data_files(Path(source))]
    else:
        below = sorted(str(path).removeprefix(here.path).lstrip("/") for path in here.ask("find"))
        files = [path for path in below if is_data_name(PurePosixPath(path))]
    if not files:
        raise DataError(f"{source}: holds no data files; expected CSV, TSV, JSON Lines, Parquet or Arrow")
    return replace(plan, files=tuple(files))


@dataclass(frozen=True, kw_only=True)
class StorePlan:
    """Files of a store that can be scored, before the model is known."""

    source: StoreLocation
    target: StoreLocation
    files: tuple[str, ...]
    """The names of the input's files below it; a single empty one where it is a file."""
    options: ScoreOptions

    def score(
        self,
        model: Predictor | Fleet,
        *,
        budget: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> ScoreSummary:
        """Fetch, score and put back each file, and return one summary.

        Raises:
            NlpkitError: as `score_file`, or a store fails.
        """
        asked = {"model": model.fingerprint, **_recorded(self.options)}
        totals = FolderTotals(progress, total=None)
        files = (functools.partial(self._file(file).score, model, asked, self.options) for file in self.files)
        summary = totals.add(files, budget)
        is_file = self.files == ("",)
        rejects = f"{self.target.name}.rejects.jsonl" if is_file else f"{self.target.name}/{REJECTS}"
        return replace(summary, output=self.target.name, rejects=rejects if summary.rejected else None)

    def begun_with(self) -> str | None:
        """Return the fingerprint of the model that began or made one of the outputs; None without any."""
        return next((begun for file in self.files if (begun := self._file(file).begun_with())), None)

    def is_long(self, size: int) -> bool:
        """Return whether the files hold at least so many bytes."""
        known = 0
        for file in self.files:
            known += int(self._file(file).source.ask("size") or 0)
            if known >= size:
                return True
        return False

    def _file(self, file: str) -> _StoredFile:
        if not file:
            rejects = StoreLocation.of(f"{self.target.name}.rejects.jsonl")
            return _StoredFile(source=self.source, target=self.target, rejects=rejects, record=None)
        return _StoredFile(
            source=self.source / file,
            target=self.target / file,
            rejects=self.target / f"{REJECTS}/{file}.rejects.jsonl",
            record=self.target / f"{RECORDS}/{file}.json",
        )


def _recorded(options: ScoreOptions) -> dict[str, str]:
    """Return the options that decide a byte of the output, as the record of a file in a store keeps them."""
    kept: dict[str, object] = {
        "text_column": options.text,
        "format": options.format,
        "output_format": options.output_format,
        "encoding": options.encoding,
        "prefix": options.prefix,
        "raw_csv": options.raw_csv,
        "row_per": options.row_per,
        "conversation": options.conversation,
        "speaker": options.speaker,
        "aspect": options.aspect,
        "image": options.image,
        "chunk_rows": options.chunk_rows,
    }
    return {name: str(value) for name, value in kept.items()}


@dataclass(frozen=True, kw_only=True)
class _StoredFile:
    """One file to score."""

    source: StoreLocation
    target: StoreLocation
    rejects: StoreLocation
    record: StoreLocation | None
    """Of a folder's file: how it was made, and its summary."""

    def score(
        self,
        model: Predictor | Fleet,
        asked: dict[str, str],
        options: ScoreOptions,
        *,
        budget: int | None,
        progress: Callable[[Progress], None] | None,
    ) -> ScoreSummary:
        """Score the file, and return the summary once the output is in its place."""
        key = self._key()
        if done := self._done_before({**asked, "input": key}, overwrite=options.overwrite):
            return done
        with self._work_folder(key) as folder:
            file = self._fetch(folder / "in" / PurePosixPath(self.source.path).name)
            made = folder / "out" / PurePosixPath(self.target.path).name
            # With the record a repeat puts what is complete already, where a kill came before it was put.
            here = replace(
                options,
                record=folder / "record.json",
                rejects=folder / "rejects.jsonl",
                overwrite=False,
            )
            summary = plan_file(file, made, here).score(model, budget=budget, progress=progress)
            if summary.rejects:
                self.rejects.put(Path(summary.rejects))
            self.target.put(made)
            if self.record:
                kept = {
                    **asked,
                    "input": key,
                    "rows": summary.rows,
                    "written": summary.written,
                    "rejected": summary.rejected,
                    "partly_read": summary.partly_read,
                    "abstained": summary.abstained,
                    "guarded": summary.guarded,
                    "unreadable": dict(summary.unreadable),
                }
                (folder / "kept.json").write_text(
                    json.dumps({**kept, "budget": summary.budget}), encoding="utf-8"
                )
                self.record.put(folder / "kept.json")
        return summary

    def begun_with(self) -> str | None:
        """Return the fingerprint of the model that began or made the output, as far as is known here."""
        if kept := self._kept():
            return str(kept.get("model")) or None
        if not (cache_folder() / "scoring").is_dir():
            return None  # no work is unfinished, and a file need not be hashed to look for it
        made = self._work(self._key()) / "out" / PurePosixPath(self.target.path).name
        return begun_with(unfinished(made))

    def _kept(self) -> dict[str, Any] | None:
        """Return the record of an output that is complete."""
        if self.record is None or not self.record.ask("exists"):
            return None
        # What a record does not name was left at its default
        return {**_recorded(ScoreOptions()), **json.loads(self.record.ask("cat_file"))}

    def _key(self) -> str:
        """Return what changes with the content of the input, as far as a store shows."""
        return (
            InputDigest.of(Path(self.source.path)).sha256
            if self.source.here
            else str(self.source.ask("ukey"))
        )

    def _done_before(self, asked: dict[str, str], *, overwrite: bool) -> ScoreSummary | None:
        if (overwrite and not self.record) or not self.target.ask("exists"):
            return None
        kept = self._kept()
        if kept and {name: kept.get(name) for name in asked} == asked:
            names = ("rows", "rejected", "partly_read", "abstained", "guarded")
            counts = {name: int(kept.get(name, 0)) for name in names}
            counts["written"] = int(kept.get("written", counts["rows"]))
            before = counts["rows"] + counts["rejected"]
            return ScoreSummary(
                **counts,
                unreadable=kept.get("unreadable", {}),
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
                f"{self.target.name}: exists already; hint: replace it with --overwrite, or name another path"
            )
        changed = ", ".join(name for name in asked if kept.get(name) != asked[name])
        raise RunError(
            f"{self.target.name}: was scored with another {changed}; hint: score it anew with --overwrite"
        )

    def _work(self, key: str) -> Path:
        name = hashlib.sha256(f"{self.source.name}\n{self.target.name}\n{key}".encode()).hexdigest()[:24]
        return cache_folder() / "scoring" / name

    @contextmanager
    def _work_folder(self, key: str) -> Iterator[Path]:
        """Keep the unfinished work in a folder, which is removed when the output is in its place."""
        folder = self._work(key)
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
