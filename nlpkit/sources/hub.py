"""The Hugging Face hub: models and data sets by `org/name@revision`, from its cache or over the network."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

from nlpkit.errors import SourceError
from nlpkit.sources.entries import names
from nlpkit.sources.entry import Kind

# Weights as safetensors and texts: never pickles, never code.
_PATTERNS: dict[Kind, list[str]] = {
    "model": ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.md"],
    "data": [
        "*.csv",
        "*.tsv",
        "*.jsonl",
        "*.json",
        "*.parquet",
        "*.arrow",
        "*.csv.gz",
        "*.tsv.gz",
        "*.jsonl.gz",
        "*.json.gz",
        "*.md",
    ],
}
_REPO_TYPE: dict[Kind, str] = {"model": "model", "data": "dataset"}
_PATIENCE = 2.0


def split(reference: str) -> tuple[str, str | None]:
    """Id and revision of `hub:org/name@revision`.

    Raises:
        SourceError: this is no id of a hub.
    """
    repo, _, revision = reference.removeprefix("hub:").partition("@")
    # Checked here, so that the message does not cost the import of huggingface_hub.
    if (
        not repo
        or repo.count("/") > 1
        or repo.startswith("/")
        or repo.endswith("/")
        or ".." in repo
        or " " in repo
    ):
        raise SourceError(
            f"{reference}: not the id of a hub repository; expected hub:org/name or hub:org/name@revision"
        )
    return repo, revision or None


def download(reference: str, kind: Kind) -> Path:
    """Return the local snapshot of a repository, with only weights, texts and data files.

    Where the hub is not reachable, it comes from the hub's own cache.

    HF_HUB_OFFLINE, HF_TOKEN, HF_HOME and HF_ENDPOINT mean what they mean to huggingface_hub.

    Raises:
        SourceError: the hub does not have it, does not answer or does not let us in, and it is not cached.
    """
    from huggingface_hub import constants

    repo, revision = split(reference)
    if constants.HF_HUB_OFFLINE:
        return _cached(reference, repo, revision, kind, "the hub is switched off (HF_HUB_OFFLINE)")
    trouble = _ask(reference, repo, revision, kind)
    if trouble:
        return _cached(reference, repo, revision, kind, trouble)
    return _snapshot(reference, repo, revision, kind)


def _ask(reference: str, repo: str, revision: str | None, kind: Kind) -> str:
    """Ask one short question, as downloads retry for half a minute.

    Returns:
        Why the hub can't be used now; empty when it has the repository.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalTokenNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        in_time(
            lambda: HfApi().repo_info(repo, revision=revision, repo_type=_REPO_TYPE[kind], timeout=_PATIENCE),
            _PATIENCE + 0.5,
        )
    except GatedRepoError:
        return "the hub asks for permission; hint: accept its terms on the hub and set HF_TOKEN"
    except RepositoryNotFoundError:
        return f"the hub has no such {_REPO_TYPE[kind]}, or it is private and HF_TOKEN is not set"
    except RevisionNotFoundError:
        return f"the hub has no revision {revision!r} of it"
    except (HFValidationError, LocalTokenNotFoundError) as error:
        raise SourceError(f"{reference}: {error}") from error
    # What a dead network raises depends on the HTTP library; each of these only sends us to the cache.
    except Exception as error:
        return f"the hub does not answer ({type(error).__name__})"
    return ""


def in_time(question: Callable[[], object], seconds: float) -> object:
    """Return the answer to a question, or raise TimeoutError.

    A name server that does not answer ignores the timeout of the HTTP library.
    """
    answers: queue.SimpleQueue[tuple[object, Exception | None]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put((question(), None))
        # Raised again in the thread that asked.
        except Exception as error:
            answers.put((None, error))

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer in {seconds:.1f} s") from None
    if error is not None:
        raise error
    return answer


def _cached(reference: str, repo: str, revision: str | None, kind: Kind, trouble: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        snapshot = snapshot_download(
            repo,
            revision=revision,
            repo_type=_REPO_TYPE[kind],
            allow_patterns=_PATTERNS[kind],
            local_files_only=True,
        )
    except (LocalEntryNotFoundError, HFValidationError) as error:
        local = ", ".join(names()[:8])
        raise SourceError(
            f"{reference}: {trouble}, and {repo} is not in the hub's cache on this machine; "
            f"hint: give the path of a local folder, or a name from the catalog ({local}, ...)"
        ) from error
    return Path(snapshot)


def _snapshot(reference: str, repo: str, revision: str | None, kind: Kind) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                repo, revision=revision, repo_type=_REPO_TYPE[kind], allow_patterns=_PATTERNS[kind]
            )
        )
    except Exception as error:
        raise SourceError(
            f"{reference}: the download from the hub broke off: {error}; hint: run it again, it goes on"
        ) from error


def commit(snapshot: Path) -> str | None:
    """Return the commit that a snapshot folder of the hub's cache stands for."""
    parts = snapshot.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts[:-1] else None
