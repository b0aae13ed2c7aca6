"""What the tasks of classifiers agree in: one head, one way to calibrate it and to read its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from nlpkit.data.examples import TextInput
from nlpkit.settings import Settings
from nlpkit.tasks.answers.family import ClassifierFamily, Head
from nlpkit.tasks.encoding import Encoded, Tokenizer, encode_texts
from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np


class TextSettings(Settings):
    """A task that reads a text and nothing with it, unless it says otherwise."""

    reads_aspects: ClassVar[bool] = False
    reads_pictures: ClassVar[bool] = False

    @property
    def family(self) -> ClassifierFamily:
        """The family that it answers with."""
        raise NotImplementedError

    @property
    def head(self) -> Head:
        """The outputs that its family decodes."""
        return self.family.head

    def input(self, example: Any) -> TextInput:
        """Return the text."""
        return TextInput(text=example.text)

    def encode(self, inputs: Sequence[TextInput], tokenizer: Tokenizer, max_tokens: int) -> list[Encoded]:
        """Encode texts."""
        return encode_texts([given.text for given in inputs], tokenizer, max_tokens)

    def calibrate(self, logits: np.ndarray, examples: Sequence[Any], encoded: Sequence[Encoded] = ()) -> Self:
        """Return the task with what fits held-out logits best, such as its temperature."""
        return self.model_copy(update=self.family.fit(logits, examples, encoded))

    def decode(self, outputs: np.ndarray, encoded: Sequence[Encoded]) -> list[Prediction]:
        """Return the answers that outputs stand for."""
        return self.family.decode(outputs, encoded)
