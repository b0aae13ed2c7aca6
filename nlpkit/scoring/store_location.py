"""Where a file lies: here, or in an object store, which is reached through fsspec."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.errors import ConfigError, SourceError


def is_remote(path: str) -> bool:
    """Find out whether a path names a store."""
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
        """Return the location that a path or an address names.

        Raises:
            ConfigError: there is no such kind of store, or what it needs is not installed.
            SourceError: it cannot be reached.
        """
        import fsspec.core

        try:
            fs, path = fsspec.core.url_to_fs(name if is_remote(name) else str(Path(name).absolute()))
        except (ImportError, ValueError) as error:
            raise ConfigError(
                f"{name}: cannot be opened: {error}; hint: pip install what that store needs, or name another"
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
        """Return what the store answers.

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
        """Put a file of this machine at this location.

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
