"""A run on the Hugging Face hub: adapter, tokenizer and card, and nothing else of the folder."""

from __future__ import annotations

from pathlib import Path

from nlpkit.errors import SourceError
from nlpkit.run import HASHED, Run
from nlpkit.tasks.task import task_from

PUBLISHED = (
    "README.md",
    "config.yaml",
    "codebook.yaml",
    "run.json",
    *(f"{folder}/*{ending}" for folder in ("adapter", "reader", "tokenizer") for ending in HASHED),
)
"""Texts of the data are in none of these: predictions and reports stay at home."""


def published_files(run: Run) -> list[Path]:
    """Return the files that `push_run` sends.

    Raises:
        RunError: the run is damaged, or holds an adapted base alone.
    """
    task_from(run.read_verified().task)  # a damaged run is not published, nor one that answers nothing
    return sorted(path for pattern in PUBLISHED for path in run.path.glob(pattern))


def push_run(run: Run, repository: str, *, private: bool) -> str:
    """Return the address of the published run; the hub's own HF_TOKEN, HF_ENDPOINT and login are used.

    Raises:
        RunError: the run is damaged.
        SourceError: the hub cannot be reached, or it refuses.
    """
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    files = [str(path.relative_to(run.path)) for path in published_files(run)]
    hub = HfApi()
    try:
        address = hub.create_repo(repository, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=repository,
            folder_path=run.path,
            allow_patterns=files,
            commit_message=f"nlpkit run {run.name}",
        )
    except (
        HfHubHTTPError,
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
        httpx2.HTTPError,
        OSError,
    ) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SourceError(
            f"{repository}: not published: {reason}; hint: set HF_TOKEN to a token with write access, and "
            "check the connection"
        ) from None
    return str(address)
