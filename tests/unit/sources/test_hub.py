from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

from nlpkit.errors import SourceError
from nlpkit.sources import hub, resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, empty, and a hub that nobody may ask."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


@pytest.fixture
def cached_model(empty_hub: Path) -> Path:
    """A snapshot of org/name as the hub's library lays it out."""
    repo = empty_hub / "models--org--name"
    snapshot = repo / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repo / "blobs").mkdir()
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    (repo / "blobs" / "aa").write_text("{}")
    (snapshot / "config.json").symlink_to("../../blobs/aa")
    return snapshot


def answer_with(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "repo_info", lambda *args, **kwargs: act())


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("hub:org/name", ("org/name", None)),
        ("hub:gpt2", ("gpt2", None)),
        ("hub:org/name@v1.0", ("org/name", "v1.0")),
    ],
)
def test_a_reference_is_an_id_and_a_revision(reference: str, expected: tuple[str, str | None]) -> None:
    assert hub.split(reference) == expected


@pytest.mark.parametrize(
    "reference", ["hub:", "hub:@main", "hub:a/b/c", "hub:/a", "hub:a/", "hub:a b/c", "hub:../etc", "hub:a/-b"]
)
def test_what_is_no_id_is_refused(reference: str, empty_hub: Path) -> None:
    with pytest.raises(SourceError, match="hub:"):
        resolve(reference)


def test_offline_an_unknown_id_fails_at_once_with_the_cures(empty_hub: Path) -> None:
    with pytest.raises(
        SourceError, match=r"hub:org/none: .*HF_HUB_OFFLINE.*local folder.*catalog \(minilm-l6"
    ):
        resolve("hub:org/none")


def test_offline_a_cached_model_is_found(cached_model: Path) -> None:
    assert resolve("hub:org/name") == cached_model
    assert hub.commit(cached_model) == COMMIT
    assert hub.commit(Path("a/snapshots")) is None


def test_a_hub_that_does_not_answer_is_given_up_soon_and_the_cache_is_used(
    cached_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_PATIENCE", -0.4)
    answer_with(monkeypatch, lambda: time.sleep(5))
    assert resolve("hub:org/name") == cached_model
    with pytest.raises(SourceError, match=r"does not answer \(TimeoutError\)"):
        resolve("hub:org/none")


def test_no_network_is_said(empty_hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ConnectionError("refused")

    answer_with(monkeypatch, refuse)
    with pytest.raises(SourceError, match=r"does not answer \(ConnectionError\)"):
        resolve("hub:org/none")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RepositoryNotFoundError, "no such model"),
        (RevisionNotFoundError, "no revision 'v9'"),
        (GatedRepoError, "HF_TOKEN"),
    ],
)
def test_what_the_hub_says_is_told(
    empty_hub: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], words: str
) -> None:
    def refuse() -> None:
        response = SimpleNamespace(headers={}, request=None, status_code=404)
        raise error("no", response=response)  # type: ignore[call-arg]

    answer_with(monkeypatch, refuse)
    with pytest.raises(SourceError, match=words):
        resolve("hub:org/none@v9")


def test_only_weights_and_texts_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def snapshot(repo: str, **options: object) -> str:
        asked.update(options, repo=repo)
        return str(tmp_path)

    answer_with(monkeypatch, lambda: None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert resolve("hub:org/name@abc") == tmp_path
    assert asked["repo"] == "org/name"
    assert asked["revision"] == "abc"
    assert asked["repo_type"] == "model"
    assert set(asked["allow_patterns"]) == {"*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.md"}  # type: ignore[call-overload]
    resolve("hub:org/name", kind="data")
    assert asked["repo_type"] == "dataset"
    assert "*.parquet" in asked["allow_patterns"]  # type: ignore[operator]
    assert not {"*.py", "*.bin", "*.pkl"} & set(asked["allow_patterns"])  # type: ignore[call-overload]


def test_a_download_that_breaks_off_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot(repo: str, **options: object) -> str:
        raise OSError("connection reset")

    answer_with(monkeypatch, lambda: None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(SourceError, match="connection reset; hint: run it again"):
        resolve("hub:org/name")


def test_in_time_gives_the_answer_or_the_error() -> None:
    def fail() -> None:
        raise KeyError("k")

    assert hub.in_time(lambda: 7, 5) == 7
    with pytest.raises(KeyError):
        hub.in_time(fail, 5)
