"""Posts to logits: texts as any model reads them, each with its picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from nlpkit.classifiers.text_model import TextModel
from nlpkit.classifiers.torch_runtime import TorchRuntime
from nlpkit.data.examples import Picture, TextInput
from nlpkit.models.vision import Vision
from nlpkit.tasks.encoding import Encoded

if TYPE_CHECKING:
    import numpy as np


class PictureModel(TextModel):
    """A text model that is given the picture of each window too."""

    def __init__(self, *arguments: Any, vision: Vision, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.vision = vision

    def logits_of(self, encoded: Sequence[Encoded]) -> np.ndarray:
        """Return the raw outputs, as `TextModel.logits_of` does.

        Raises:
            DataError: a picture cannot be used.
        """
        windows = [window for text in encoded for window in text.windows]
        pictures = [text.picture for text in encoded for _ in text.windows]
        return self.pooled(encoded, self.forward(windows, pictures=pictures))

    def tune(self, texts: Sequence[str | TextInput]) -> int:
        """Return the budget as it is: pictures take most of the time, whatever it is."""
        return self.budget

    def _size(self, sequence: list[int], picture: Picture | None) -> int:
        return len(sequence) + (self.vision.patches if picture else 0)

    def _run(self, sequences: list[list[int]], pictures: Sequence[Picture | None] = ()) -> np.ndarray:
        ids, mask = self._padded(sequences)
        runtime = cast("TorchRuntime", self.runtime)
        return runtime.logits(ids, mask, **with_pictures(self.vision, pictures))


def with_pictures(vision: Vision, pictures: Sequence[Picture | None]) -> dict[str, np.ndarray]:
    """Return what a picture classifier is given besides ids and mask: each picture once, and whose it is."""
    import numpy as np

    distinct = list(dict.fromkeys(picture for picture in pictures if picture is not None))
    numbers = {picture: number for number, picture in enumerate(distinct)}
    given = {"picture": np.array([numbers[each] if each else -1 for each in pictures], dtype=np.int64)}
    if distinct:
        given["pixel_values"] = np.stack([vision.pixels(picture) for picture in distinct])
    return given
