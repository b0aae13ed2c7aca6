"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365) through the word embeddings, by captum.

Of a picture they go through the embeddings of its patches too, from a gray picture to the picture.

The path leads from a text whose tokens all read as padding, its special tokens as they are, to the text. The
model is the one that answers: its adapter is merged, its windows are padded as they are when it is served.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.picture_model import PictureModel
from nlpkit.classifiers.torch_runtime import TorchRuntime
from nlpkit.data.examples import GRID
from nlpkit.errors import ConfigError, RunError, optional
from nlpkit.tasks.encoding import Encoded

if TYPE_CHECKING:
    import torch

STEPS = (32, 64, 128, 256)
"""Points of the path; more are taken only where fewer are not exact enough."""

EXACT = 0.01
"""The completeness error that is asked for."""

SAME = 1e-3
"""How far outputs of this path may lie from those that are served."""

TOKENS = 8192
"""Tokens of a batch with gradients, padding included."""


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """What each token adds."""

    tokens: list[list[float]]
    """The tokens of each window, special tokens left out."""
    cells: list[float]
    """The cells of the picture, row by row; empty where there is none."""
    error: float
    """How far their sum lies from the difference in evidence, as a part of it."""


class Gradients:
    """Attributes the evidence of a classifier to tokens.

    Raises:
        ConfigError: captum is not installed, or the runtime has no gradients.
    """

    def __init__(self, classifier: Classifier) -> None:
        runtime = classifier.runtime
        if not isinstance(runtime, TorchRuntime) or runtime.name != "torch":
            raise ConfigError(
                f"--method gradients: {runtime.name} has no gradients; "
                "hint: --runtime torch, or --method occlusion"
            )
        self._layered = optional("captum.attr", extra="explain").LayerIntegratedGradients
        self._classifier, self._model = classifier, runtime.model
        try:
            self._embedding = self._model.get_input_embeddings()
        except (AttributeError, NotImplementedError):
            raise ConfigError(
                f"--method gradients: {classifier.name} has no layer of word embeddings that nlpkit knows; "
                "hint: --method occlusion"
            ) from None

    def attribute(
        self, text: Encoded, evidence_of: Callable[[torch.Tensor], torch.Tensor] | None
    ) -> Attribution:
        """Attribute the evidence for a text to its tokens.

        Raises:
            ConfigError: what is explained has no gradients.
            RunError: the outputs of this path are not those that are served.
        """
        import torch

        if evidence_of is None:
            raise ConfigError(
                "--method gradients: a text outside of all labels is recognized without them; "
                "hint: --method occlusion"
            )
        ids, mask, baseline, weights = self._inputs(text)
        seen = self._seen(text)

        def evidence(ids: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
            *pixels, mask = rest
            return evidence_of(self._pooled(ids, mask, weights, *pixels))

        given, bare = (ids, *seen), (baseline, *map(torch.zeros_like, seen))
        with torch.inference_mode():
            self._compare(text, self._pooled(ids, mask, weights, *seen))
            difference = float(evidence(*given, mask)) - float(self._read_as(bare, evidence, given, mask))
        with warnings.catch_warnings():  # captum warns of layers that hang on each other; these do not
            warnings.simplefilter("ignore", UserWarning)
            layered = self._layered(evidence, [self._embedding, *([self._patches] if seen else [])])
        error, by_token, by_patch = float("inf"), torch.zeros(0), torch.zeros(0)
        for steps in STEPS:
            states = layered.attribute(
                given,
                baselines=bare,
                additional_forward_args=(mask,),
                n_steps=steps,
                internal_batch_size=max(len(ids), TOKENS // (ids.shape[1] + self._patch_count(seen))),
            )
            by_token = states[0].sum(dim=-1).double()
            by_patch = states[1].sum(dim=(0, 1)).double() if seen else torch.zeros(0)
            total = float(by_token.sum()) + float(by_patch.sum())
            error = abs(total - difference) / max(abs(difference), 1e-9)
            if error < EXACT:
                break
        before = len(self._classifier.model.tokenizer.frame.before)
        frame = self._classifier.model.tokenizer.frame.size
        rows = zip(by_token.tolist(), text.windows, strict=True)
        return Attribution(
            tokens=[row[before : before + len(window) - frame] for row, window in rows],
            cells=_cells(by_patch) if seen else [],
            error=error,
        )

    @property
    def _patches(self) -> Any:
        """The layer that makes embeddings of patches."""
        import torch

        vision = self._model.body["vision"]
        return next(layer for layer in vision.modules() if isinstance(layer, torch.nn.Conv2d))

    def _seen(self, text: Encoded) -> tuple[torch.Tensor, ...]:
        """Return the pixels of the picture for each window; nothing where there is none."""
        import torch

        model = self._classifier.model
        if text.picture is None or not isinstance(model, PictureModel):
            return ()
        pixels = torch.from_numpy(model.vision.pixels(text.picture)).to(self._model.device)
        return (pixels.expand(len(text.windows), -1, -1, -1).contiguous(),)

    def _patch_count(self, seen: tuple[torch.Tensor, ...]) -> int:
        model = self._classifier.model
        return model.vision.patches if seen and isinstance(model, PictureModel) else 0

    def _inputs(self, text: Encoded) -> tuple[Any, Any, Any, Any]:
        """Return ids, mask and ids of the baseline, (windows, time), and the weight of each window."""
        import torch

        tokenizer = self._classifier.model.tokenizer
        width = max(map(len, text.windows))
        before, frame = len(tokenizer.frame.before), tokenizer.frame.size
        pad, device = tokenizer.pad_id, self._model.device
        rows = [window + [pad] * (width - len(window)) for window in text.windows]
        bare = [
            window[:before]
            + [pad] * (len(window) - frame)
            + window[before + len(window) - frame :]
            + [pad] * (width - len(window))
            for window in text.windows
        ]
        mask = [[1] * len(window) + [0] * (width - len(window)) for window in text.windows]
        lengths = torch.tensor([max(len(window) - frame, 1) for window in text.windows], device=device)
        return (
            torch.tensor(rows, device=device),
            torch.tensor(mask, device=device),
            torch.tensor(bare, device=device),
            lengths / lengths.sum(),
        )

    def _pooled(self, ids: Any, mask: Any, weights: Any, pixels: Any = None) -> Any:
        """Return (points, outputs): the mean over the windows of each point, as when it is served.

        Args:
            ids: (points x windows, time), the windows of a point next to one another.
            mask: the same shape.
            weights: (windows,).
            pixels: (points x windows, 3, side, side), of a text with a picture.
        """
        import torch

        more = {}
        if self._classifier.reads_pictures:
            numbers = torch.full_like(ids[:, 0], -1) if pixels is None else torch.arange(len(ids))
            more = {"picture": numbers.to(ids.device), "pixel_values": pixels}
        logits = self._model(input_ids=ids, attention_mask=mask, **more).logits.float()
        by_point = logits.reshape(-1, len(weights), logits.shape[-1])
        return (by_point * weights[:, None]).sum(dim=1)

    def _read_as(
        self, bare: tuple[Any, ...], evidence: Callable[..., Any], given: tuple[Any, ...], mask: Any
    ) -> Any:
        """Return the evidence where the embeddings are those of the baseline, and all else is the text's.

        Some models number their positions by which ids are padding.
        """
        layers = (self._embedding, *([self._patches] if len(bare) > 1 else []))
        hooks = [
            layer.register_forward_hook(lambda layer, _, __, instead=instead: layer.forward(instead))
            for layer, instead in zip(layers, bare, strict=True)
        ]
        try:
            return evidence(*given, mask)
        finally:
            for hook in hooks:
                hook.remove()

    def _compare(self, text: Encoded, outputs: Any) -> None:
        """Compare outputs, (1, outputs), with those that are served."""
        import numpy as np

        served = self._classifier.model.logits_of([text])
        if not np.allclose(outputs.cpu().numpy(), served, atol=SAME, rtol=SAME):
            far = float(np.abs(outputs.cpu().numpy() - served).max())
            raise RunError(
                f"{self._classifier.name}: its outputs with gradients differ by {far:.2g} from those that "
                "are served, so that they explain another model; hint: --method occlusion"
            )


def _cells(by_patch: Any) -> list[float]:
    """Return the sums over the cells of a picture, row by row; `by_patch`: (rows, columns) of patches."""
    import numpy as np

    rows = [GRID * row // len(by_patch) for row in range(len(by_patch))]
    cells = np.zeros((GRID, GRID))
    np.add.at(cells, np.ix_(rows, rows), by_patch.cpu().numpy())
    return [float(cell) for cell in cells.ravel()]
