"""Fine-tune a pretrained chat model with LoRA on conversations, so that it answers as one side of them does.

Run it with `nlpkit train CONFIG.yaml`, on several processes with `accelerate launch -m nlpkit train CONFIG.yaml`.
The order of a training stands here; how each step is done stands in nlpkit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from nlpkit.config import to_yaml
from nlpkit.data.examples import Conversation
from nlpkit.evaluation.evaluate_dialogue import judge_of, report_dialogue
from nlpkit.files import fingerprint, room_left
from nlpkit.reports.seeds import summarize
from nlpkit.run import Run, versions
from nlpkit.settings import (
    ConversationData,
    DialogueEvaluation,
    DialogueTraining,
    LanguageBase,
    Lora,
    Settings,
)
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.training.chat_model import build_chat_model, finish_chat_model, load_chat_base
from nlpkit.training.dialogues import encode_part, preflight_dialogue
from nlpkit.training.language_model_objective import language_model_objective, verify_packing
from nlpkit.training.loaded_base import LoadedBase, count_weights, is_main_process, save_initial
from nlpkit.training.rows import Rows, load_rows
from nlpkit.training.trainer import Step, fit, planned_steps


class DialogueConfig(Settings):
    """All that this recipe can do."""

    recipe: Literal["dialogue"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """The run's folder inside `output`."""
    task: Dialogue = Dialogue()
    data: ConversationData
    base: LanguageBase = LanguageBase()
    lora: Lora = Lora()
    training: DialogueTraining = DialogueTraining()
    evaluation: DialogueEvaluation = DialogueEvaluation()
    seed: int = 1
    """Splits the data."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    """Draws adapters and batches: one run for each; several give a mean and a spread."""
    output: Path = Path("runs")


Config = DialogueConfig
Held = dict[str, tuple[Conversation, ...]]


def train(
    config: DialogueConfig,
    *,
    check: bool,
    overwrite: bool,
    talk: Callable[[str], None],
    progress: Callable[[Step], None],
) -> list[Run]:
    """The runs that the config asks for, one a seed, each trained, measured beside its base, and reported on; none when only checked."""
    dialogues = load_rows(config.task, config.data, seed=config.seed)
    base = load_chat_base(config.base)
    runs = []
    for seed in config.seeds:
        runs.append(
            _train(
                config, dialogues, base, seed, check=check, overwrite=overwrite, talk=talk, progress=progress
            )
        )
    if len(runs) > 1 and not check and is_main_process():
        talk(summarize(config.output / config.name, runs))
    return [] if check else runs


def _train(
    config: DialogueConfig, dialogues: Rows[Dialogue], base: LoadedBase, seed: int,
    *, check: bool, overwrite: bool, talk: Callable[[str], None], progress: Callable[[Step], None],
) -> Run:  # fmt: skip
    started = time.monotonic()
    folder = config.output / config.name
    run = Run(folder / f"seed-{seed}" if len(config.seeds) > 1 else folder)
    whole = {
        **config.model_dump(mode="json", exclude={"seeds", "output", "name", "evaluation"}),
        "data": dialogues.describe(),
    }
    asked = fingerprint({**whole, "base": base.identity.model_dump(), "seed": seed, "versions": versions()})
    held = {"test": dialogues.test} if dialogues.test else {"validation": dialogues.validation}
    if run.is_completed and not (overwrite or check) and run.read().data.get("fingerprint") == asked:
        talk(f"{run.path}: trained already")
        if not run.report.is_file():
            _report(config, run, held, talk, progress)
        return run
    if overwrite and not check:
        run.remove()

    train_part = encode_part(dialogues.train, base.tokenizer, base.max_tokens)
    validation_part = encode_part(dialogues.validation, base.tokenizer, base.max_tokens)
    model = build_chat_model(base, config.base, config.lora, seed=seed)
    trained, total = count_weights(model)
    settings = config.training
    objective = language_model_objective(
        train_part.rows,
        validation_part.rows,
        tokenizer=base.tokenizer,
        training=settings,
        room=base.max_tokens,
    )
    steps = planned_steps(len(objective.train), settings)
    facts = preflight_dialogue(
        dialogues,
        train_part,
        base.tokenizer,
        max_tokens=base.max_tokens,
        trainable=trained,
        total=total,
        steps=steps,
    )
    for line in (*facts.lines, *(f"warning    {warning}" for warning in facts.warnings)):
        talk(line)
    if check:
        return run
    if settings.packing:
        verify_packing(model, train_part.rows, base.tokenizer.pad_token_id)

    run = Run.create(run.path, config=to_yaml(config.model_copy(update={"seeds": (seed,)})))
    initial = save_initial(model, run, config.lora)
    model = fit(
        model,
        base.tokenizer,
        objective,
        training=settings,
        seed=seed,
        run=run,
        fingerprint=asked,
        talk=talk,
        progress=progress,
    )
    if is_main_process():
        with room_left(run.path):
            finish_chat_model(
                run,
                model,
                base,
                dialogues.task,
                train_part.rows,
                data={**dialogues.describe(), "fingerprint": asked},
                recipe=config.recipe,
                seed=seed,
                started=started,
                initial=initial,
                exact=config.base.quantize == "none",
            )
        _report(config, run, held, talk, progress)
    return run


def _report(
    config: DialogueConfig,
    run: Run,
    held: Held,
    talk: Callable[[str], None],
    progress: Callable[[Step], None],
) -> None:
    asked = config.evaluation.model_dump(exclude={"judge"})
    judge = judge_of(config.evaluation)
    for name, conversations in held.items():
        report_dialogue(
            run, conversations, data=name, judge=judge, talk=talk,
            progress=lambda at, of: progress(Step(done=at, total=of, loss=None)), **asked,
        )  # fmt: skip
