"""The run directory: what one training leaves, and the only file that knows the names in it."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from nlpkit.errors import ConfigError, RunError, first_problem
from nlpkit.files import sha256_of, write_whole
from nlpkit.model_files import refuse_unsafe
from nlpkit.run_record import FORMAT, RunRecord, in_current_format

LIBRARIES = (
    "nlpkit",
    "torch",
    "transformers",
    "peft",
    "datasets",
    "accelerate",
    "evaluate",
    "tokenizers",
    "numpy",
)

PACKAGE = Path(__file__).parent

BUILT_IN = ("default", "multilingual")
"""Names of the classifiers that the package holds, each a folder in it."""

BUILT_IN_CHAT_MODEL = "default-bot"
"""Name and folder of the chat model that the package holds."""

HASHED = (".json", ".jinja", ".model", ".safetensors", ".txt")
"""Endings of the files of an adapter and a tokenizer that answers depend on."""


@dataclass(frozen=True)
class Run:
    """One training's folder. `Run.open` takes completed runs only."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name, with its parent's when it is one seed of several."""
        return (
            f"{self.path.parent.name}/{self.path.name}"
            if self.path.name.startswith("seed-")
            else self.path.name
        )

    @property
    def adapter(self) -> Path:
        """PEFT's own folder, the classifier's head included."""
        return self.path / "adapter"

    @property
    def reader(self) -> Path:
        """Of a zero-shot run, in place of an adapter: the weights that stand for its labels."""
        return self.path / "reader"

    @property
    def base(self) -> Path:
        """Of a run of the recipe adapt, in place of an adapter: the adapted base, with its tokenizer."""
        return self.path / "base"

    @property
    def members(self) -> tuple[Path, Path]:
        """Of a cascade, in place of an adapter: the fast run and the slow one, or their exports."""
        return self.path / "fast", self.path / "slow"

    @property
    def codebook(self) -> Path:
        """The labels in words; a run may have none."""
        return self.path / "codebook.yaml"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer, as transformers saves it."""
        return self.path / "tokenizer"

    @property
    def checkpoints(self) -> Path:
        """What a killed training resumes from; only there while it runs."""
        return self.path / "checkpoints"

    @property
    def config(self) -> Path:
        """The resolved config: it can be run again."""
        return self.path / "config.yaml"

    @property
    def log(self) -> Path:
        """One JSON object a line: losses and validation metrics by step."""
        return self.path / "log.jsonl"

    @property
    def evaluation(self) -> Path:
        """The reports, one JSON file a data set, with their predictions.

        Those of a built-in run lie below ./runs: the package is not written to.
        """
        folder = Path("runs") / self.name if self.path.parent == PACKAGE else self.path
        return folder / "evaluation"

    @property
    def distillation(self) -> Path:
        """Of a distilled run: its comparison with its teacher; a Markdown page has the same name."""
        return self.path / "distillation.json"

    @property
    def answers(self) -> Path:
        """Of a run that a server answers for: what it answered, kept so that no text is asked about twice."""
        return self.path / "answers.sqlite"

    @property
    def labeling(self) -> Path:
        """Of a run that `nlpkit label learn` trained: the rounds of labeling that led to it."""
        return self.path / "labeling.json"

    @property
    def text_hashes(self) -> Path:
        """Hashes of the training texts; a run may lack them, and a published one does."""
        return self.path / "text_hashes.dat"

    @property
    def report(self) -> Path:
        """The page to show to others."""
        return self.path / "report.html"

    @property
    def card(self) -> Path:
        """The model card, with the Hub's metadata."""
        return self.path / "README.md"

    @property
    def lock(self) -> Path:
        """Held by the process that trains the run; next to the folder, which --overwrite deletes."""
        return self.path.with_name(f".{self.path.name}.lock")

    @property
    def marker(self) -> Path:
        """`run.json`: there exactly when the run is completed."""
        return self.path / "run.json"

    @property
    def is_completed(self) -> bool:
        """Whether the training came to its end."""
        return self.marker.is_file()

    @classmethod
    def create(cls, path: Path, *, config: str) -> Run:
        """Make a folder to train in; one that a killed training left is resumed.

        Raises:
            ConfigError: a completed run is there, or the folder can't be written.
        """
        run = cls(path)
        if run.is_completed:
            raise ConfigError(f"{path}: a finished run is there; hint: another name, or --overwrite")
        try:
            run.checkpoints.mkdir(parents=True, exist_ok=True)
            write_whole(run.config, config)
        except OSError as error:
            raise ConfigError(f"{path}: a run cannot be written here: {error.strerror}") from None
        return run

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """Return a completed run.

        Raises:
            RunError: the folder is no run, or its training has not finished.
        """
        run = cls(Path(path))
        if run.is_completed:
            return run
        if str(path) in (*BUILT_IN, BUILT_IN_CHAT_MODEL) and not run.path.exists():
            return cls(PACKAGE / path)
        if not run.path.exists():
            raise RunError(f"{path}: no such run; `nlpkit runs` lists the runs below ./runs")
        if run.checkpoints.is_dir():
            raise RunError(f"{path}: its training did not come to its end; hint: nlpkit train {run.config}")
        if (run.path / "export.json").is_file():
            raise RunError(f"{path}: an export; expected a run; hint: name the run that it was made of")
        inner = sorted(marker.parent.name for marker in run.path.glob("*/run.json"))
        hint = f"; it holds the runs {', '.join(inner)}: name one of them" if inner else ""
        raise RunError(f"{path}: not a run: it holds no run.json{hint}")

    def read(self) -> RunRecord:
        """Return what `run.json` holds.

        Raises:
            RunError: it is damaged, or of a newer format.
        """
        refuse_unsafe([self.marker], self.path)
        try:
            tree = json.loads(self.marker.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{self.marker}: cannot be read: {error}") from None
        written = tree.get("format") if isinstance(tree, dict) else None
        if isinstance(written, int) and written > FORMAT:
            raise RunError(
                f"{self.marker}: format {written}; this nlpkit reads up to {FORMAT}; "
                "hint: pip install --upgrade nlpkit"
            )
        try:
            return RunRecord.model_validate(in_current_format(tree))
        except ValidationError as error:
            raise RunError(f"{self.marker}: damaged: {first_problem(error)}; {self._restoring}") from None

    def read_verified(self) -> RunRecord:
        """Return what `run.json` holds, if the files that it holds hashes of are those that were saved.

        Raises:
            RunError: it is damaged; a file of the adapter or the tokenizer, or the config, is not the one
                that was saved; or one is far too large, or a link out of the run.
        """
        record = self.read()
        refuse_unsafe([*self._folders, self.config, self.codebook], self.path)
        saved = {name: known for name, known in record.files.items() if name != self.text_hashes.name}
        hashes = self._hashes() if saved else {}
        for name in sorted(saved.keys() | hashes.keys()):
            path = self.path / name
            if name not in saved:
                if path == self.config:  # of a run that an older nlpkit made
                    continue
                raise RunError(f"{path}: was added after training; hint: move it out of the run")
            if saved[name] != hashes.get(name):
                problem = "has changed since training" if name in hashes else "is missing"
                raise RunError(f"{path}: {problem}; {self._restoring}")
        return record

    @property
    def _restoring(self) -> str:
        again = f"nlpkit train {shlex.quote(str(self.config))} --overwrite"
        return f"hint: restore it from a copy, or train again: {again}"

    @property
    def _folders(self) -> tuple[Path, ...]:
        """Those that hold files that answers depend on."""
        return self.adapter, self.reader, self.tokenizer, self.base

    def _hashes(self) -> dict[str, str]:
        """Return the SHA-256 of config, codebook and each file that answers depend on, by its path."""
        files = [file for folder in self._folders for file in folder.rglob("*")]
        read = [file for file in files if file.suffix in HASHED and not file.name.startswith(".")]
        return {
            file.relative_to(self.path).as_posix(): sha256_of([file])
            for file in sorted([*read, self.config, self.codebook])
            if file.is_file()
        }

    def finish(self, record: RunRecord) -> None:
        """Drop the checkpoints and write `run.json` last, with hashes: from now on the run is completed."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        texts = self.text_hashes
        of_texts = {texts.name: sha256_of([texts])} if texts.is_file() else {}
        record = record.model_copy(update={"files": {**self._hashes(), **of_texts}})
        write_whole(self.marker, record.model_dump_json(indent=2) + "\n")

    def remove(self) -> None:
        """Delete the folder, its marker first, so that it is never taken for a completed run."""
        self.marker.unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


def find_runs(folder: Path) -> list[Run]:
    """Return the completed runs below a folder, by name."""
    return [Run(marker.parent) for marker in sorted(folder.glob("**/run.json"))]


def versions() -> dict[str, str]:
    """Return the installed versions that a result depends on."""
    installed = {}
    for name in LIBRARIES:
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    from nlpkit import __version__

    return {**installed, "nlpkit": __version__}


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
