"""The conversations of one training, described before step 1."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from nlpkit.errors import DataError
from nlpkit.prompts.template import READ_ONLY, ChatTemplate, EncodedDialogue
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.tasks.dialogue_rows import EncodedPart
from nlpkit.tasks.reading import SHOWN_REASONS
from nlpkit.training.loaded_base import LoadedBase, count_weights
from nlpkit.training.preflight import Preflight
from nlpkit.training.rows import Rows

SHOWN = 600
"""Characters of the example that the preflight shows."""


def preflight_dialogue(
    dialogues: Rows[Dialogue], train: EncodedPart, base: LoadedBase, model: Any, *, steps: int
) -> Preflight:
    """Describe what this training will do.

    Raises:
        DataError: there is no reply to learn, or nothing to choose on.
    """
    tokenizer = base.tokenizer
    trainable, total = count_weights(model)
    if not train.learned:
        hint = "hint: a larger base.max_tokens" if train.left_out else "hint: another data.train.*.bot"
        raise DataError(
            f"no reply to learn in {len(dialogues.train):,} conversations, {train.left_out:,} fit no row; "
            f"{hint}"
        )
    if not dialogues.validation:
        raise DataError(
            "no validation conversations: nothing to choose on; hint: data.validation: 0.05, or a file"
        )
    lengths = sorted(len(row.input_ids) for row in train.rows)
    whole = train.learned + train.read
    lines = (
        f"rows       {len(dialogues.train):,} conversations to train on, {len(dialogues.validation):,} to "
        "choose on, "
        f"{len(dialogues.test):,} to report on",
        f"replies    {sum(row.replies for row in train.rows):,} are learned in {len(train.rows):,} rows",
        f"tokens     {train.learned:,} learned, {train.read:,} only read ({train.read / whole:.0%}); "
        f"median row {int(statistics.median(lengths))}, longest {lengths[-1]} of {base.max_tokens}",
        f"left out   {train.left_out:,} replies that fit no row with the turn they answer, "
        f"{dialogues.left_out:,} invalid conversations",
        f"unused     columns: {'; '.join(dialogues.unused) or 'none'}",
        f"dropped    {dialogues.dropped:,} training conversations that stand, nearly equal, in the "
        "held-out ones",
        f"screened   {train.injected:,} texts spell a control token of the model; it reads them as plain "
        "characters",
        f"learned    {trainable:,} of {total:,} weights ({trainable / total:.1%}) in {steps:,} steps",
        "example    what stands in \u27e6brackets\u27e7 is learned, the rest is only "
        f"read:\n{shown(train.rows[0], tokenizer)}",
    )
    return Preflight(lines=lines, warnings=tuple(_warnings(dialogues, train, tokenizer)))


def shown(row: EncodedDialogue, tokenizer: Any) -> str:
    """Return a row as text, the learned part in brackets, cut in the middle where it is long."""
    spans: list[tuple[bool, list[int]]] = []
    for token, label in zip(row.input_ids, row.labels, strict=True):
        learned = label != READ_ONLY
        if not spans or spans[-1][0] != learned:
            spans.append((learned, []))
        spans[-1][1].append(token)
    texts = [(learned, tokenizer.decode(ids)) for learned, ids in spans]
    whole = "".join(f"\u27e6{text}\u27e7" if learned else text for learned, text in texts)
    return whole if len(whole) <= SHOWN else f"{whole[: SHOWN // 2]} ... {whole[-SHOWN // 2 :]}"


def _warnings(dialogues: Rows[Dialogue], train: EncodedPart, tokenizer: Any) -> Iterable[str]:
    if ChatTemplate.of(tokenizer).is_default:
        yield (
            "the model brings no chat template; a plain one is used: each turn below its role, "
            "closed by the end token"
        )
    asked = train.left_out + sum(row.replies for row in train.rows)
    if train.left_out > 0.05 * asked:
        yield (
            f"{train.left_out / asked:.0%} of the replies fit no row; "
            "a larger base.max_tokens learns more of them"
        )
    if len(dialogues.validation) < 20:
        count = len(dialogues.validation)
        yield f"only {count} validation conversations: the choice of checkpoint is uncertain"
    for reason in dialogues.skipped[:SHOWN_REASONS]:
        yield f"left out: {reason}"
