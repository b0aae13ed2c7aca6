"""Conversations as labeled turns, each with the turns before it and who speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nlpkit.data.conversation_columns import RefusedError
from nlpkit.data.conversation_scripts import text_in
from nlpkit.data.conversation_shapes import Script
from nlpkit.data.conversation_speakers import CALLED, speaker_of
from nlpkit.data.examples import LabeledTurn, SpokenTurn
from nlpkit.errors import DataError


def labeled_turns(script: Script, known: Callable[[str, str], str], turns: int) -> Iterator[LabeledTurn]:
    """Yield the turns of a script that have a label; those without one are only read by later ones.

    Args:
        script: who says what.
        known: (label, where) -> the label as the task calls it, or a DataError.
        turns: how many turns before it each is given at most.

    Raises:
        RefusedError: a turn has no speaker or no text, or a label that is none.
    """
    before: list[SpokenTurn] = []
    for line in script.lines:
        speaker, text = speaker_of(line, script, None), text_in(line.text, line.where)
        if script.roles and CALLED.get(speaker.casefold()) == "system":
            continue
        if label := _label(line.label, line.where, known):
            yield LabeledTurn(
                text=text,
                label=label,
                speaker=speaker,
                context=tuple(before[max(0, len(before) - turns) :]),
                conversation=script.id,
                where=line.where,
            )
        before.append(SpokenTurn(speaker=speaker, text=text))


def _label(value: object, where: str, known: Callable[[str, str], str]) -> str:
    """Return the label, empty where there is none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        detail = f"expected a label, found {str(value)[:40]!r}"
        raise RefusedError(where, "a label that is not text", detail)
    try:
        return known(str(value).strip(), where)
    except DataError as error:
        detail = str(error).removeprefix(f"{where}: ")
        raise RefusedError(where, "a label that the task does not have", detail) from None
