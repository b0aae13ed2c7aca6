"""What `run.json` holds of a run."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT: Literal[2] = 2
"""Raised when a run that an older nlpkit cannot read is written."""


class BaseModelIdentity(BaseModel):
    """Which pretrained model an adapter belongs to: another one is refused."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    source: str
    revision: str | None
    weights_sha256: str
    tokenizer_sha256: str
    layers: Annotated[int | None, Field(ge=1, exclude_if=lambda layers: layers is None)] = None
    """How many of its lowest layers are used; None for all."""
    adapted_from: Annotated[BaseModelIdentity | None, Field(exclude_if=lambda origin: origin is None)] = None
    """The base that the recipe adapt made it of; None for one that it did not make."""


class RunRecord(BaseModel):
    """What `run.json` holds: enough to load the run without its config."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    format: Literal[2] = FORMAT
    name: str
    recipe: str
    created: str
    task: dict[str, Any]
    """The task with all that is fitted to data: labels, range, temperature."""
    base: BaseModelIdentity
    reader: dict[str, Any] | None = None
    """Of a zero-shot run: how it reads the labels of its codebook; None for a trained one."""
    outputs: Annotated[int, Field(ge=1)] | None = None
    """The size of a classifier's head."""
    mean_pooled: Annotated[bool, Field(exclude_if=lambda pooled: not pooled)] = False
    """Whether a classifier's head reads the mean of all tokens, as that of the recipe few_shot does."""
    max_tokens: Annotated[int, Field(ge=1)]
    """Tokens that the model reads at once."""
    seed: int
    data: dict[str, Any]
    """Counts and fingerprints of what was trained on and held out."""
    cost: dict[str, Any]
    versions: dict[str, str]
    files: dict[str, str] = {}
    """SHA-256 of the config, of the codebook, of each file of the adapter, its head included, of a reader, of
    the tokenizer, and of the hashes of texts.

    Older runs have none, or none of the config.
    """
    engine: Annotated[dict[str, Any], Field(exclude_if=lambda engine: not engine)] = {}
    """Settings of the server that answers in place of a base and an adapter; empty where there is none."""
    privacy: Annotated[dict[str, Any], Field(exclude_if=lambda privacy: not privacy)] = {}
    """Of a private training: the epsilon that it has spent, its delta, and how; empty for any other."""
    vision: Annotated[dict[str, Any], Field(exclude_if=lambda vision: not vision)] = {}
    """Of a run that reads pictures: the vision transformer, how it sees a picture, and how the two are fused;
    empty for any other."""
    cascade: Annotated[dict[str, Any], Field(exclude_if=lambda cascade: not cascade)] = {}
    """When the second of two runs in the folder answers in place of the first; empty for a single model."""


def in_current_format(tree: Any) -> Any:
    """Return the record of a run or an export as today's version writes it.

    In format 1 the temperature stood outside the task.
    """
    if not isinstance(tree, dict) or tree.get("format", 1) != 1 or not isinstance(tree.get("task"), dict):
        return tree
    fields = {key: value for key, value in tree.items() if key != "temperature"}
    temperature = tree.get("temperature", 1.0)
    fitted = {} if temperature == 1.0 else {"temperature": temperature}
    return {**fields, "format": FORMAT, "task": {**tree["task"], **fitted}}
