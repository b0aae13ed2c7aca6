"""Findings about texts: empty, broken, repeated, contradictory, in two parts, foreign or personal ones."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nlpkit.data.check_findings import Excerpt, Finding, Severity, shown
from nlpkit.data.examples import TextExample
from nlpkit.data.near import near_groups
from nlpkit.data.personal import Scan
from nlpkit.data.text_language import detector, script

EXAMPLES = 6
"""Rows that a finding shows."""

_APART = 0.25  # equal texts whose values differ by this share of the range contradict each other
_BEFORE = 50  # characters shown before the place that an example is about


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row with all that several checks use."""

    part: str
    example: TextExample
    key: str
    """Equal for texts that differ in case, width and spaces alone; empty for a text with nothing to read."""
    group: int

    @property
    def label(self) -> str:
        """The label, or the value in words."""
        return self.example.label or " ".join(f"{number:g}" for number in self.example.numbers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """All rows of all parts, and what masks them where they are shown."""

    rows: list[Row]
    scan: Scan
    noun: str = "row"
    """What each is."""

    def findings(self) -> Iterator[Finding]:
        """Yield all findings about the texts."""
        yield from self._empty()
        yield from self._broken()
        yield from self._repeats()
        yield from self._contradictions()
        yield from self._overlaps()
        yield from self._minority("script", script)
        yield from self._languages()
        yield from self._personal()

    def _found(
        self,
        kind: str,
        rows: list[Row],
        what: str,
        hint: str,
        limit: float = 0.0,
        note: Callable[[Row], str] = lambda _: "",
        at: re.Pattern[str] | None = None,
    ) -> Iterator[Finding]:
        """Yield a finding for each part that has such rows: a warning where their share is above the limit.

        Examples are shown from a little before the match of `at` in the masked text, else from the beginning.
        """
        totals = Counter(row.part for row in self.rows)
        for part, affected in by_part(rows).items():
            share = len(affected) / totals[part]
            severity: Severity = "warning" if share > limit else "info"
            message = f"{counted(len(affected), self.noun)} ({share:.2%}): {what}"
            examples = self._excerpts(affected, note, at)
            yield Finding(
                kind=kind,
                severity=severity,
                part=part,
                rows=len(affected),
                message=message,
                hint=hint,
                examples=examples,
            )

    def _excerpts(
        self, rows: Iterable[Row], note: Callable[[Row], str], at: re.Pattern[str] | None = None
    ) -> tuple[Excerpt, ...]:
        """Return the first rows to look at, with personal data masked whatever the finding is about."""
        return tuple(
            Excerpt(
                part=row.part,
                where=shown(row.example.where),
                text=self._shown(row.example.text, at),
                note=shown(note(row)),
            )
            for row in itertools.islice(rows, EXAMPLES)
        )

    def _shown(self, text: str, at: re.Pattern[str] | None) -> str:
        masked = self.scan(text)[0]
        match = at.search(masked) if at else None
        start = max(0, match.start() - _BEFORE) if match else 0
        return ("..." if start else "") + shown(masked[start:])

    def _empty(self) -> Iterator[Finding]:
        empty = [row for row in self.rows if not row.key]
        yield from self._found("empty text", empty, "no text", "Remove them", note=lambda row: row.label)

    def _broken(self) -> Iterator[Finding]:
        """Find texts that were read in the wrong encoding somewhere on their way."""
        from ftfy.badness import BADNESS_RE

        bad = re.compile(f"\ufffd|{BADNESS_RE.pattern}", BADNESS_RE.flags)
        broken = [row for row in self.rows if not row.example.text.isascii() and bad.search(row.example.text)]
        hint = "Say the file's encoding in the config, or repair the file (ftfy can)"
        yield from self._found(
            "broken encoding",
            broken,
            "letters that come from reading in a wrong encoding",
            hint,
            0.001,
            at=bad,
        )

    def _repeats(self) -> Iterator[Finding]:
        """Find texts that came before in their part, and texts that nearly did."""
        equal, near = [], []
        seen: set[tuple[str, str | int]] = set()
        for row in self.rows:
            if not row.key:
                continue
            if (row.part, row.key) in seen:
                equal.append(row)
            elif (row.part, row.group) in seen:
                near.append(row)
            seen |= {(row.part, row.key), (row.part, row.group)}
        yield from self._found(
            "duplicate",
            equal,
            f"the text of an earlier {self.noun} again",
            "Remove them if each text should count once",
            0.01,
        )
        hint = "Look at them: templates and copies teach little; nlpkit keeps them on one side when it splits"
        what = f"nearly the text of an earlier {self.noun}"
        yield from self._found("near-duplicate", near, what, hint, 0.05)

    def _contradictions(self) -> Iterator[Finding]:
        """Find equal texts with different labels, or with values far apart."""
        values = [number for row in self.rows for number in row.example.numbers]
        far = _APART * (max(values) - min(values)) if values else 0.0
        same: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            same[row.key].append(row)
        # Rows with the same text stand together, so that the examples show the contradiction.
        contradicting = [row for key, rows in same.items() if key and _differ(rows, far) for row in rows]
        hint = "Decide on one label for each text or remove them: no model can get both right"
        what = f"a text that another {self.noun} labels differently"
        yield from self._found("contradiction", contradicting, what, hint, 0.001, lambda row: row.label)

    def _overlaps(self) -> Iterator[Finding]:
        """Find texts of one part that stand in another: what is measured there has been seen in training."""
        parts = by_part(row for row in self.rows if row.key)
        for seen, later in itertools.combinations(parts.values(), 2):
            first = seen[0].part
            keys: dict[str | int, Row] = {row.key: row for row in reversed(seen)}
            groups: dict[str | int, Row] = {row.group: row for row in reversed(seen)}
            equal = [(keys[row.key], row) for row in later if row.key in keys]
            near = [(groups[row.group], row) for row in later if row.key not in keys and row.group in groups]
            yield from self._overlap("overlap", "error", equal, f"equal to texts of {first}", len(later))
            yield from self._overlap(
                "near overlap", "warning", near, f"nearly equal to texts of {first}", len(later)
            )

    def _overlap(
        self, kind: str, severity: Severity, pairs: list[tuple[Row, Row]], what: str, of: int
    ) -> Iterator[Finding]:
        if not pairs:
            return
        first, second = (row.part for row in pairs[0])
        yield Finding(
            kind=kind,
            severity=severity,
            part=f"{first}, {second}",
            rows=len(pairs),
            message=f"{counted(len(pairs), self.noun)} of {second} ({len(pairs) / of:.2%}): {what}",
            hint=f"Remove them from {first}, or let nlpkit split one file: it keeps such texts on one side",
            examples=self._excerpts(itertools.chain.from_iterable(pairs), lambda row: row.part),
        )

    def _languages(self) -> Iterator[Finding]:
        detect = detector()
        if detect is not None:
            yield from self._minority("language", detect)
            return
        message = "languages were not checked: the package py3langid is not installed"
        hint = "To check them: pip install 'nlpkit[language]'"
        yield Finding(kind="language", severity="info", part="all parts", rows=0, message=message, hint=hint)

    def _minority(self, kind: str, detect: Callable[[str], str | None]) -> Iterator[Finding]:
        """Find rows that differ from most in script or language; undetected ones are left out."""
        detected = [(row, name) for row in self.rows if row.key and (name := detect(row.example.text))]
        if not detected:
            return
        most = Counter(name for _, name in detected).most_common(1)[0][0]
        others = {id(row): name for row, name in detected if name != most}
        rows = [row for row, _ in detected if id(row) in others]
        hint = "Remove them, or choose a base model that knows them"
        yield from self._found(
            kind, rows, f"another {kind} than most ({most})", hint, 0.01, lambda row: others[id(row)]
        )

    def _personal(self) -> Iterator[Finding]:
        """Find rows that hold personal data or secrets."""
        kinds: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            for kind in self.scan(row.example.text)[1]:
                kinds[kind].append(row)
        hint = "Mask or remove it unless you may train on it: a model can repeat what it has read"
        for kind, rows in kinds.items():
            yield from self._found(
                f"personal data: {kind}",
                rows,
                f"personal data ({kind})",
                hint,
                at=re.compile(re.escape(f"[{kind}]")),
            )


def sheet(
    splits: Mapping[str, Sequence[TextExample]], *, near_duplicates: float, scan: Scan, noun: str = "row"
) -> Sheet:
    """Gather the rows of all parts with what the checks compare them by."""
    pairs = [(name, example) for name, part in splits.items() for example in part]
    groups = near_groups([example.text for _, example in pairs], threshold=near_duplicates, seed=0)
    rows = [
        Row(part=part, example=example, key=_key(example.text), group=group)
        for (part, example), group in zip(pairs, groups, strict=True)
    ]
    return Sheet(rows=rows, scan=scan, noun=noun)


def by_part(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Group rows by part."""
    parts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        parts[row.part].append(row)
    return parts


def counted(rows: int, noun: str = "row") -> str:
    """Say the number of rows in words."""
    return f"{rows:,} {noun}" + ("" if rows == 1 else "s")


def _key(text: str) -> str:
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    # Zero-width and control characters alone leave nothing to read.
    return folded if any(unicodedata.category(character)[0] not in "CZ" for character in folded) else ""


def _differ(rows: list[Row], far: float) -> bool:
    values = [number for row in rows for number in row.example.numbers]
    return len({row.example.label for row in rows}) > 1 or (
        len(values) > 1 and max(values) - min(values) > far
    )
