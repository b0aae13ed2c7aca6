from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.errors import DataError, SourceError
from nlpkit.sources import Entry, hub_id, identity, resolve


def test_a_path_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("text\n")
    Path("folder").mkdir()
    assert resolve("rows.csv", kind="data") == Path("rows.csv")
    assert resolve("folder") == Path("folder")
    assert resolve(str(tmp_path / "rows.csv"), kind="data") == tmp_path / "rows.csv"


def test_a_missing_file_is_named_with_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("text\n")
    with pytest.raises(DataError, match=r"review\.csv: no such file or folder; did you mean 'reviews\.csv'"):
        resolve(str(tmp_path / "review.csv"), kind="data")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone is not there either"):
        resolve(str(tmp_path / "gone" / "rows.csv"), kind="data")


@pytest.mark.parametrize("source", ["", "minilm-16", "org/name", "movie-reviews/imdbb"])
def test_what_is_neither_path_nor_name_is_a_source_error(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match="hub:org/name"):
        resolve(source)


def test_a_catalogue_name_means_the_catalogue_and_dot_slash_the_folder(
    fake: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(fake.name).mkdir()
    assert resolve(fake.name).name == "model"
    assert resolve(f"./{fake.name}") == Path(fake.name)


def test_a_model_is_not_taken_for_data(fake: Entry) -> None:
    with pytest.raises(SourceError, match="is a model, expected data"):
        resolve(fake.name, kind="data")


def test_identity_says_what_can_be_brought_again(fake: Entry, tmp_path: Path) -> None:
    assert identity(fake.name, tmp_path).revision == "pack==1.0"
    assert identity("./rows.csv", tmp_path).revision is None
    snapshot = tmp_path / "models--org--name" / "snapshots" / "0123abc"
    assert identity("hub:org/name@main", snapshot).revision == "0123abc"
    assert identity("hub:org/name@main", snapshot).source == "hub:org/name@main"


def test_hub_id_is_the_public_name(fake: Entry) -> None:
    assert hub_id("hub:org/other@v1") == "org/other"
    assert hub_id(fake.name) == "org/name"
    assert hub_id("./folder") is None
