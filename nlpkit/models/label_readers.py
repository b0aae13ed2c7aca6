"""The table of zero-shot readers: what answers labels in words without any training.

To add one, write its module and add its row. The functions of a row import what they need when called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, ValidationError, field_validator

from nlpkit.data.codebook import Codebook, read_codebook
from nlpkit.errors import ConfigError, RunError, nearest
from nlpkit.models.pretrained import load_body, load_language_model, load_merged, pick_device
from nlpkit.run import Run
from nlpkit.run_record import RunRecord
from nlpkit.settings import Settings
from nlpkit.tasks.encoding import Frame

if TYPE_CHECKING:
    import torch

    Weights: TypeAlias = Mapping[str, torch.Tensor]

LABEL_WEIGHTS = "label_weights.safetensors"
"""The file of a zero-shot run that holds what the labels' words became."""

LEAST_TEXT = 16
"""Tokens that must be left for a text next to the labels in words."""


class ReaderSettings(Settings):
    """How labels in words are read."""

    name: str = "embedding"
    """`embedding`, `likelihood` or `entailment`: see docs/zero-shot.md."""
    prior: Literal["auto", "empty", "none"] = "auto"
    """`empty` subtracts what a label gets for an empty text; `auto`: what suits the reader."""
    orders: Annotated[int, Field(ge=1, le=24)] = 2
    """In how many orders a language model reads the labels; their mean is the answer."""

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in READERS:
            raise ValueError(f"{name!r} is no reader{nearest(name, READERS)}")
        return name

    @property
    def row(self) -> LabelReader:
        """The row of the table."""
        return READERS[self.name]

    @property
    def subtracts_empty(self) -> bool:
        """Whether a label's logit for an empty text is subtracted."""
        return self.prior == "empty" or (self.prior == "auto" and self.row.needs_prior)


@dataclass(frozen=True, kw_only=True)
class LabelReader:
    """A way to read labels in words, as the command line offers it."""

    name: str
    help: str
    base: str | None
    """The default base; None where it has to be named."""
    load: Callable[[Path], Any]
    """Load the base's model."""
    make: Callable[[Any, Any, Codebook, ReaderSettings], Any]
    """Return the torch module of a model, its tokenizer and the labels: ids and mask in, logits out."""
    needs_prior: bool
    """Whether its answers to an empty text say more of the labels' words than of the texts."""
    is_traced: bool
    """Whether it is one graph, which other runtimes can compute."""


def _embedding(model: Any, tokenizer: Any, codebook: Codebook, _: ReaderSettings) -> Any:
    from nlpkit.models.embedding_reader import EmbeddingReader

    return EmbeddingReader(model, tokenizer, codebook)


def _likelihood(model: Any, tokenizer: Any, codebook: Codebook, settings: ReaderSettings) -> Any:
    from nlpkit.models.likelihood_reader import LikelihoodReader

    return LikelihoodReader(model, tokenizer, codebook, orders=settings.orders)


def _entailment(model: Any, tokenizer: Any, codebook: Codebook, _: ReaderSettings) -> Any:
    from nlpkit.models.entailment_reader import EntailmentReader

    return EntailmentReader(model, tokenizer, codebook)


_ROWS = (
    LabelReader(
        name="embedding",
        help="a sentence encoder: how near a text lies to a label's words; fast, and exported as any run",
        base="minilm-l6",
        load=load_body,
        make=_embedding,
        needs_prior=False,
        is_traced=True,
    ),
    LabelReader(
        name="likelihood",
        help="a language model: how much likelier a label gets by the text; slow",
        base="smollm2-135m",
        load=load_language_model,
        make=_likelihood,
        needs_prior=True,
        is_traced=False,
    ),
    LabelReader(
        name="entailment",
        help="a model of natural language inference, such as one of a hub; a pass for each label",
        base=None,
        load=load_merged,
        make=_entailment,
        needs_prior=False,
        is_traced=False,
    ),
)

READERS: Mapping[str, LabelReader] = {row.name: row for row in _ROWS}


def read_words(model: Any, tokenizer: Any, codebook: Codebook, settings: ReaderSettings) -> Any:
    """Return the module that reads a codebook's labels, ready to answer."""
    import torch

    module = settings.row.make(model, tokenizer, codebook, settings).to(model.device).eval()
    module.requires_grad_(False)
    with torch.no_grad():
        module.take_words()
        if settings.subtracts_empty:
            ids = torch.tensor([Frame.of(tokenizer).around([])], device=model.device)
            module.label_bias -= module(ids, torch.ones_like(ids)).logits[0]
    return module


def restore(
    model: Any, tokenizer: Any, codebook: Codebook, settings: ReaderSettings, weights: Weights
) -> Any:
    """Return the module of a run, with the weights that it saved.

    Raises:
        RunError: they are not those of this codebook and base.
    """
    module = settings.row.make(model, tokenizer, codebook, settings).to(model.device).eval()
    expected = {name: list(buffer.shape) for name, buffer in own_weights(module).items()}
    saved = {name: list(tensor.shape) for name, tensor in weights.items()}
    if saved != expected:
        raise RunError(
            f"the weights of the labels have the shapes {saved}; expected {expected}; "
            "hint: restore the run from a copy"
        )
    for name, buffer in own_weights(module).items():
        buffer.copy_(weights[name])
    return module


def load_reader(run: Run, record: RunRecord, folder: Path, tokenizer: Any) -> Any:
    """Return the module of a zero-shot run, on the fastest device here.

    Raises:
        RunError: a newer nlpkit made it, or its parts do not belong together.
    """
    from safetensors.torch import load_file

    try:
        settings = ReaderSettings.model_validate(record.reader)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise RunError(f"{run.marker}: reader: {reason}; hint: pip install --upgrade nlpkit") from None
    model = settings.row.load(folder).to(pick_device()).eval()
    weights = load_file(run.reader / LABEL_WEIGHTS, device=str(model.device))
    return restore(model, tokenizer, read_codebook(run.codebook), settings, weights)


def save_reader(module: Any, folder: Path) -> None:
    """Write the weights that stand for the labels."""
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    own = {name: weight.cpu().contiguous() for name, weight in own_weights(module).items()}
    save_file(own, folder / LABEL_WEIGHTS)


def exports(record: RunRecord, form: str) -> bool:
    """Return whether a run can be exported: a zero-shot one if it is one graph; a head that is not of
    transformers, to no plain model; one that reads pictures, not at all.
    """
    if record.vision:
        return False
    if record.reader is None:
        return form != "merged" or not record.mean_pooled
    row = READERS.get(str(record.reader.get("name")))
    return row is not None and row.is_traced and form != "merged"


def own_weights(module: Any) -> dict[str, torch.Tensor]:
    """Return the weights that stand for the labels, without those of the base."""
    return dict(module.named_buffers(recurse=False))


def text_window(window: int, module: Any, base: str) -> int:
    """Return how many tokens of the base's window are left for a text.

    Raises:
        ConfigError: too few, because of the labels' words.
    """
    left = window - int(module.overhead)
    if left < LEAST_TEXT:
        raise ConfigError(
            f"{base}: reads {window:,} tokens at once, of which the labels in words take "
            f"{module.overhead:,}; hint: shorten the codebook, or reader.name=embedding"
        )
    return left
