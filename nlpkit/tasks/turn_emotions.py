"""Turn emotions: the feeling of each turn of a conversation, given who speaks and the turns before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nlpkit.data.conversation_scripts import scripts_in
from nlpkit.data.conversation_shapes import Script
from nlpkit.data.examples import LabeledTurn, TextInput
from nlpkit.data.labeled_turns import labeled_turns
from nlpkit.data.records import Record, text_of
from nlpkit.errors import DataError
from nlpkit.reports.usage import TURN_USAGE
from nlpkit.settings.data import ConversationSource, LabelSource, TurnSource
from nlpkit.settings.training import ClassifierTraining
from nlpkit.tasks.answers.one_label import OneLabel
from nlpkit.tasks.calibrator import Calibrator
from nlpkit.tasks.encoding import Encoded, Tokenizer
from nlpkit.tasks.label_names import TwoOrMore, known_label, label_of, labels_in
from nlpkit.tasks.reading import Reading
from nlpkit.tasks.text_settings import TextSettings
from nlpkit.tasks.turn_encoding import encode_turns

_PLEASANT = (
    "admiration amusement approval caring contentment desire excited excitement gratitude happiness happy "
    "joy joyful love optimism positive pride relief"
)
_UNPLEASANT = (
    "anger angry annoyance contempt disappointment disapproval disgust embarrassment fear frustrated "
    "frustration grief negative nervousness remorse sad sadness scared worry"
)
_NEITHER = "confusion curiosity neutral other realization surprise surprised"

VALENCE: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys(_PLEASANT.split(), 1.0),
        **dict.fromkeys(_UNPLEASANT.split(), -1.0),
        **dict.fromkeys(_NEITHER.split(), 0.0),
    }
)
"""How pleasant a feeling is, from -1 to 1, by its name; the groups are GoEmotions' (arXiv:2005.00547)."""


MOST_TURNS = 64
"""Turns before a turn that reading data keeps, whatever the task reads: another run may read more of them."""


class TurnEmotions(TextSettings):
    """One label a turn. `labels` left out are found in the data."""

    kind: Literal["turn_emotions"] = "turn_emotions"
    labels: TwoOrMore = ()
    turns: Annotated[int, Field(ge=0, le=MOST_TURNS)] = 8
    """How many turns before it are read with a turn, as far as they fit; 0: none. Later ones never are."""
    valence: Mapping[str, Annotated[float, Field(ge=-1, le=1)]] = {}
    """How pleasant each label is, from -1 to 1, for the score; known for the usual names."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Divides the logits, so that probabilities are right as often as they say: fitted after the training."""
    calibrator: Annotated[Calibrator | None, Field(exclude_if=lambda value: value is None)] = None
    """What is done to the logits beyond that: fitted after the training, where it is of use."""

    source_settings: ClassVar[type[TurnSource]] = TurnSource
    training_settings: ClassVar[type[ClassifierTraining]] = ClassifierTraining

    @property
    def family(self) -> OneLabel:
        """One label a turn."""
        return OneLabel(
            labels=self.labels,
            ordered=False,
            temperature=self.temperature,
            calibrator=self.calibrator,
            valence=tuple(self.valence[label] for label in self.labels) if self.valence else (),
            of_turns=True,
            usage=TURN_USAGE,
        )

    def parse(self, record: Record, source: LabelSource) -> LabeledTurn:
        """Return a record as a turn that nothing was said before.

        Raises:
            DataError: an empty text or label, or a label that the task does not know, with file and row.
        """
        label = known_label(label_of(record, source), self.labels, record.where, source.label)
        return LabeledTurn(text=text_of(record, source.text), label=label, speaker="", where=record.where)

    def read(self, path: Path, source: TurnSource) -> Reading[LabeledTurn]:
        """Read the labeled turns of a file or folder.

        Raises:
            DataError: a column is missing, a conversation is invalid, or no turn has a label.
        """
        examples: list[LabeledTurn] = []

        def known(label: str, where: str) -> str:
            return known_label(source.labels.get(label, label), self.labels, where, source.label)

        def use(script: Script) -> None:
            examples.extend(list(labeled_turns(script, known, MOST_TURNS)))

        reading = scripts_in(path, _conversations(source), use, label=source.label)
        if not examples:
            raise DataError(
                f"{source.source}: no turn has a label in {source.label!r}; "
                "hint: name its column, or the key of a message, with `label:` below the source"
            )
        return Reading(
            examples=tuple(examples),
            skipped=reading.skipped,
            left_out=reading.left_out,
            unused=reading.unused,
            origins=tuple(example.conversation for example in examples),
        )

    def fit(self, examples: Sequence[LabeledTurn]) -> TurnEmotions:
        """Return the task with its labels, and how pleasant each is where that is known of all.

        Raises:
            DataError: there are fewer than two labels, or `valence` names some of them only.
        """
        labels = self.labels or tuple(sorted(labels_in(examples)))
        if len(labels) < 2:
            raise DataError(
                f"the training turns hold only the label {', '.join(map(repr, labels))}; expected two or more"
            )
        known = {label: self.valence.get(label, VALENCE.get(label.casefold())) for label in labels}
        missing = [label for label, valence in known.items() if valence is None]
        if missing and self.valence:
            raise DataError(
                f"task.valence: no value for the label {missing[0]!r}; "
                f"hint: add it, such as `valence: {{{missing[0]}: 0.0}}`"
            )
        valence = {} if missing else known
        return self.model_copy(update={"labels": labels, "valence": valence})

    def input(self, example: LabeledTurn) -> TextInput:
        """Return the turn with its speaker and those turns before it that are read."""
        given = TextInput(text=example.text, context=example.context, speaker=example.speaker)
        return self._read(given)

    def encode(self, inputs: Sequence[TextInput], tokenizer: Tokenizer, max_tokens: int) -> list[Encoded]:
        """Encode turns, each with as many of the turns before it as fit."""
        return encode_turns([self._read(given) for given in inputs], tokenizer, max_tokens)

    def _read(self, given: TextInput) -> TextInput:
        """Return a turn with no more turns before it than the task reads."""
        return replace(given, context=given.context[max(0, len(given.context) - self.turns) :])


def _conversations(source: TurnSource) -> ConversationSource:
    """Return the source as conversations are read."""
    same = {
        key: getattr(source, key) for key in source.model_fields_set & set(ConversationSource.model_fields)
    }
    return ConversationSource.model_validate({"source": source.source, **same})
