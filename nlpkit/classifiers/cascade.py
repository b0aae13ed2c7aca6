"""A fast run that answers what it is sure of, and a slow one for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from nlpkit.classifiers.export_record import MARKER, is_export
from nlpkit.classifiers.text_model import TextModel
from nlpkit.data.examples import TextInput
from nlpkit.errors import RunError
from nlpkit.files import fingerprint, sha256_of
from nlpkit.run import Run
from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np

    from nlpkit.tasks.encoding import Encoded


class CascadeRecord(BaseModel):
    """What `run.json` holds of a cascade."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    threshold: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """The slow run answers texts whose answer by the fast one is less certain than this."""
    members: tuple[str, str]
    """SHA-256 of the records of the fast and of the slow run, or of their exports."""


def cascade_record(run: Run) -> CascadeRecord:
    """Return what a cascade's record says, if its two runs are still those that it was made of.

    Raises:
        RunError: one was exchanged.
    """
    record = CascadeRecord.model_validate(run.read_verified().cascade)
    for member, saved in zip(run.members, record.members, strict=True):
        if identity_of_member(member) != saved:
            raise RunError(f"{member}: is not the run that the cascade was made with; hint: make it again")
    return record


def identity_of_member(folder: Path) -> str:
    """Return a hash of the record of a run or of an export, which holds hashes of all else.

    Raises:
        RunError: neither is there.
    """
    marker = folder / MARKER if is_export(folder) else Run.open(folder).marker
    return sha256_of([marker])


class Cascade(TextModel):
    """Two models that answer as one. Texts that the first is not sure of are read by the second."""

    def __init__(self, fast: TextModel, slow: TextModel, record: CascadeRecord, *, name: str) -> None:
        self.fast = fast
        self.slow = slow
        self.threshold: float = record.threshold
        parts: dict[str, Any] = {
            f"{role}_{part}": value
            for role, model in (("fast", fast), ("slow", slow))
            for part, value in {"run": model.identity, **model.runtime.identity}.items()
        }
        super().__init__(
            slow.runtime,
            slow.tokenizer,
            slow.task,
            max_tokens=slow.max_tokens,
            threads=slow.threads,
            name=name,
            identity=fingerprint({**parts, "runtime": fast.runtime.name, "threshold": record.threshold}),
        )

    @property
    def budget(self) -> int:
        """Max tokens per batch, padding included."""
        return self.slow.budget

    @budget.setter
    def budget(self, budget: int) -> None:
        self.fast.budget = self.slow.budget = budget

    def predict(self, texts: Sequence[str | TextInput]) -> list[Prediction]:
        """Return the answer to each text, in order: of the fast model, or of the slow one where that is
        unsure.
        """
        answers = self.fast.predict(texts)
        doubted = [row for row, answer in enumerate(answers) if is_doubted(answer, self.threshold)]
        for row, answer in zip(doubted, self.slow.predict([texts[row] for row in doubted]), strict=True):
            answers[row] = answer
        return answers

    def logits_of(self, encoded: Sequence[Encoded]) -> np.ndarray:
        """Raise an error: the outputs of two models mean different things.

        Raises:
            RunError: always.
        """
        raise RunError(
            f"{self.name}: a cascade of two runs has no outputs of its own; "
            "hint: name its slow run, the folder `slow` in it"
        )

    def tune(self, texts: Sequence[str | TextInput]) -> int:
        """Choose, use and return the budget that is fastest for the fast model, which reads all texts."""
        self.budget = self.fast.tune(texts)
        return self.budget


def is_doubted(answer: Prediction, threshold: float) -> bool:
    """Return whether an answer is less certain than the threshold, or hardly any of the text was read."""
    return answer.is_unreadable or (answer.certainty or 0.0) < threshold
