"""Whether a run scores people of different groups alike: in sentences made for it, and in the user's texts.

Each sentence is filled with people of every group, and the answers are compared sentence by sentence. Answers
should differ from group to group no more than from one person to another of the same group.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nlpkit.classifiers.classifier import Classifier
from nlpkit.config import load_config
from nlpkit.data.identities import Kind, identities
from nlpkit.errors import RunError
from nlpkit.generation.decision_server import naming_rows
from nlpkit.run import Run
from nlpkit.settings import Settings
from nlpkit.tasks.answers.showing import answer_of
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.prediction import Prediction
from nlpkit.trust import vader
from nlpkit.trust.audit_file import FileAudit, LabeledTexts, audit_texts, read_texts
from nlpkit.trust.gaps import Gap, corrected, mean_of, scores_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEMPLATES = Path(__file__).with_name("audit_templates.yaml")
VADER = "vader"
"""Names the lexicon where a run is expected to compare with."""
BATCH = 512


class Template(Settings):
    """A sentence about a person."""

    text: str
    words: tuple[str, ...] = Field(min_length=1)


class Templates(Settings):
    """The sentences by context."""

    positive: tuple[Template, ...]
    negative: tuple[Template, ...]
    neutral: tuple[Template, ...]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A run, or a lexicon, as far as an audit needs it."""

    name: str
    predict: Callable[[Sequence[str]], Sequence[Prediction]]
    labels: frozenset[str]
    task: Any

    def answers(self, texts: Sequence[str], progress: Callable[[int, int], None]) -> list[Prediction]:
        """Return the answer to each text; equal texts are computed once."""
        distinct = list(dict.fromkeys(texts))
        known: dict[str, Prediction] = {}
        for start in range(0, len(distinct), BATCH):
            batch = distinct[start : start + BATCH]
            with naming_rows((text, "the audit") for text in batch):
                known.update(zip(batch, self.predict(batch), strict=True))
            progress(min(start + BATCH, len(distinct)), len(distinct))
        return [known[text] for text in texts]


@dataclass(frozen=True, kw_only=True)
class Audit:
    """How alike a run treats groups of people."""

    run: str
    sentences: int
    gaps: tuple[Gap, ...]
    """In the sentences made for it."""
    file: FileAudit | None = None
    """In the texts of a file."""
    compared: Audit | None = None
    """The same of what it is compared with."""

    @property
    def worst(self) -> Gap:
        """The largest gap."""
        return max(self.gaps, key=lambda gap: abs(gap.gap))

    @property
    def gap_closed(self) -> float | None:
        """The share by which its largest gap is smaller than that of what it is compared with."""
        before = abs(self.compared.worst.gap) if self.compared else 0.0
        return 1 - abs(self.worst.gap) / before if before else None

    @property
    def changed(self) -> tuple[float, float]:
        """The share of labels that change with the group, and of those that change within one; means."""
        pairs = [(gap.changed, gap.control or 0.0) for gap in self.gaps]
        return sum(pair[0] for pair in pairs) / len(pairs), sum(pair[1] for pair in pairs) / len(pairs)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {**_plain(asdict(self)), "gap_closed": self.gap_closed}


def audit(
    run: Run | Path | str,
    file: Path | str | None = None,
    *,
    compare: Run | Path | str | None = None,
    text: str = "text",
    seed: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **fields: Any,
) -> Audit:
    """Compare how a run scores people of different groups.

        nlpkit.audit("runs/mine", "reviews.csv", label="stars", compare="runs/older")

    Args:
        run: of a classifier that gives a score: polarity, intensity, or emotions of turns.
        file: texts, in which words that name groups are exchanged too.
        compare: another run, or `vader`, for the same figures.
        text: the column that holds the text.
        seed: draws the resamples.
        progress: gets how many texts of how many are answered.
        fields: settings of the source of `file`, such as `label`, which adds accuracy and equalized odds.

    Raises:
        DataError: the file or a row is wrong, or no text names a group.
        RunError: the run is refused, or its answers have no score.
    """
    readers = [_reader(run), *([_reader(compare)] if compare is not None else [])]
    texts = read_texts(readers[0].task, file, text=text, **fields) if file is not None else None
    audits = [
        _audit(
            reader, texts.for_labels(reader.labels == readers[0].labels) if texts else None, seed, progress
        )
        for reader in readers
    ]
    if len(audits) == 1:
        return audits[0]
    ours, theirs = audits
    paid = ours.file.paid(theirs.file, seed) if ours.file and theirs.file else ours.file
    return Audit(run=ours.run, sentences=ours.sentences, gaps=ours.gaps, file=paid, compared=theirs)


def _plain(tree: dict[str, Any]) -> dict[str, Any]:
    """Leave out what stands for single texts."""
    for part in (tree, tree["compared"] or {}):
        (part.get("file") or {}).pop("right", None)
    return tree


def _audit(
    reader: Reader, texts: LabeledTexts | None, seed: int, progress: Callable[[int, int], None]
) -> Audit:
    made = sentences()
    answers = reader.answers([text for of_kind in made.values() for text in of_kind], progress)
    gaps: list[Gap] = []
    for kind, of_kind in made.items():
        mine, answers = answers[: len(of_kind)], answers[len(of_kind) :]
        gaps += kind_gaps(kind, identities().kinds[kind], mine, seed)
    of_file = audit_texts(lambda asked: reader.answers(asked, progress), texts, seed) if texts else None
    count = sum(map(len, made.values()))
    return Audit(run=reader.name, sentences=count, gaps=corrected(gaps), file=of_file)


def _reader(run: Run | Path | str) -> Reader:
    if str(run) == VADER and not Path(VADER).exists():
        task = Polarity(labels=vader.LABELS)
        return Reader(name="VADER", predict=vader.predict, labels=frozenset(task.labels), task=task)
    classifier = Classifier.load(run)
    if "score" not in classifier.columns:
        raise RunError(
            f"{classifier.name}: answers with {', '.join(classifier.columns)}; expected a run with "
            "a score, from negative to positive, such as polarity with ordered labels, or intensity"
        )
    labels = frozenset(name.removeprefix("p_") for name in classifier.columns if name.startswith("p_"))
    return Reader(name=classifier.name, predict=classifier.predict, labels=labels, task=classifier.task)


@functools.cache
def templates() -> tuple[tuple[str, Template], ...]:
    """Return each template with its context."""
    loaded = load_config(TEMPLATES, Templates)
    contexts: Mapping[str, tuple[Template, ...]] = {
        name: getattr(loaded, name) for name in Templates.model_fields
    }
    return tuple((context, template) for context, rows in contexts.items() for template in rows)


def sentences() -> dict[str, list[str]]:
    """Return the sentences of each kind: for each template and word, one for each person of each group."""
    return {
        name: [
            _filled(template.text, word, person)
            for _, template in templates()
            for word in template.words
            for group in kind.people
            for person in kind.named(group)
        ]
        for name, kind in identities().kinds.items()
    }


def _filled(text: str, word: str, person: str) -> str:
    sentence = text.replace("{person}", person).replace("{word}", word)
    return sentence[0].upper() + sentence[1:]


def kind_gaps(name: str, kind: Kind, predictions: Sequence[Prediction], seed: int) -> list[Gap]:
    """Return the gap of each group of a kind, from the answers to its sentences in their order."""
    import numpy as np

    owner = np.repeat(np.arange(len(kind.people)), [len(kind.named(group)) for group in kind.people])
    scores = scores_of(predictions).reshape(-1, len(owner))
    labels, codes = np.unique([answer_of(answer) for answer in predictions], return_inverse=True)
    given = np.eye(len(labels))[codes].reshape(*scores.shape, -1)
    means = np.stack([scores[:, owner == row].mean(axis=1) for row in range(len(kind.people))], axis=1)
    counts = np.stack([given[:, owner == row].sum(axis=1) for row in range(len(kind.people))], axis=1)
    template = np.repeat(np.arange(len(templates())), [len(row.words) for _, row in templates()])
    gaps = []
    for row, group in enumerate(kind.people):
        if group == kind.compared_with:
            continue
        others = [
            index
            for index, name_of_other in enumerate(kind.people)
            if index != row and kind.compared_with in (None, name_of_other)
        ]
        # Rounded, so that equal answers differ by 0 and not by the last bits of a mean
        differences = np.round(means[:, row] - means[:, others].mean(axis=1), 12)
        by_template = np.bincount(template, differences) / np.bincount(template)
        shares = counts / counts.sum(axis=2, keepdims=True)
        same = np.einsum("cl,col->co", shares[:, row], shares[:, others])
        mean = mean_of(by_template, seed)
        gaps.append(
            Gap(
                kind=name,
                group=group,
                against=kind.compared_with or "the others",
                count=len(by_template),
                gap=mean.mean,
                low=mean.low,
                high=mean.high,
                p=mean.p,
                changed=float(1 - same.mean()),
                control=_changed_within(counts[:, row]),
                contexts=_by_context(by_template),
            )
        )
    return gaps


def _changed_within(counts: NDArray[Any]) -> float:
    """Return the share of pairs of two people of a group whose labels differ; (sentences, labels) counts."""
    of = counts.sum(axis=1)
    return float((1 - (counts * (counts - 1)).sum(axis=1) / (of * (of - 1))).mean())


def _by_context(by_template: NDArray[Any]) -> dict[str, float]:
    contexts = [context for context, _ in templates()]
    return {
        context: float(by_template[[row for row, name in enumerate(contexts) if name == context]].mean())
        for context in dict.fromkeys(contexts)
    }
