"""Texts and labels in words to probabilities, without any training and without a run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.codebook import LabelsInWords, codebook_of
from nlpkit.data.examples import TextInput
from nlpkit.errors import ConfigError
from nlpkit.models.bases import find_base
from nlpkit.models.emoji_names import with_emoji_names
from nlpkit.models.label_readers import ReaderSettings, read_words, text_window
from nlpkit.models.pretrained import load_tokenizer, pick_device, window_of
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.task import TextTask

if TYPE_CHECKING:
    import numpy as np

KEPT = 2
"""Bases that stay in memory between calls."""


def zero_shot(
    texts: str | Sequence[str | TextInput],
    labels: LabelsInWords,
    *,
    base: str | None = None,
    reader: ReaderSettings | None = None,
) -> np.ndarray:
    """Return the probability of each label for each text, (texts, labels), in the order of the labels.

        zero_shot(["I want my money back"], {"refund": "Wants money back.", "praise": "Is happy."})

    The probabilities are not calibrated: `nlpkit zero-shot` makes a run that is, where it gets labeled rows.

    Args:
        texts: one text, or any sequence of texts.
        labels: a codebook, a mapping from labels to descriptions, or names alone.
        base: of the reader; default: the reader's own. The last bases that were used stay in memory.
        reader: how the labels are read; default: by embedding.

    Raises:
        ConfigError: fewer than two labels, two of one meaning, or more words than the base can read.
        DataError: something in the sequence is no text.
        RunError, SourceError: the base is refused, or can't be fetched.
    """
    import numpy as np

    classifier = zero_shot_classifier(labels, base=base, reader=reader)
    answers = classifier.predict(texts)
    names = classifier.task.head.names
    return np.array([[answer.probabilities[name] for name in names] for answer in answers])


def zero_shot_classifier(
    labels: LabelsInWords,
    *,
    base: str | None = None,
    reader: ReaderSettings | None = None,
    task: TextTask | None = None,
) -> Classifier:
    """Return the classifier of labels in words; see `zero_shot`.

    Args:
        labels: a codebook, a mapping from labels to descriptions, or names alone.
        base: of the reader.
        reader: how the labels are read.
        task: what it answers, with these labels; default: one label a text.
    """
    codebook, reader = codebook_of(labels), reader or ReaderSettings()
    source = base or reader.row.base
    if source is None:
        raise ConfigError(
            f"the reader {reader.name!r} has no base of its own; hint: name one, such as hub:ORG/NAME"
        )
    model, tokenizer, window = _base(reader.name, source)
    module = read_words(model, tokenizer, codebook, reader)
    return Classifier.of_model(
        module,
        tokenizer,
        task or Polarity(labels=codebook.names, ordered=False),
        max_tokens=text_window(window, module, source),
        name=f"{reader.name} by {source}",
    )


@functools.lru_cache(maxsize=KEPT)
def _base(reader: str, source: str) -> tuple[Any, Any, int]:
    folder, _ = find_base(source)
    tokenizer = with_emoji_names(load_tokenizer(folder))
    model = ReaderSettings(name=reader).row.load(folder)
    return model.to(pick_device()).eval(), tokenizer, window_of(folder, tokenizer)
