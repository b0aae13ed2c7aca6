"""Fine-tune a pretrained chat model with LoRA on conversations, so that it replies as one side of them does.

Run it with `nlpkit train CONFIG.yaml`, on several processes with
`accelerate launch -m nlpkit train CONFIG.yaml`.
A recipe holds the order of a training; how each step is done is in nlpkit.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from nlpkit.evaluation.evaluate_dialogue import judge_of, report_dialogue
from nlpkit.run import Run
from nlpkit.settings import SeededSettings
from nlpkit.settings.data import ConversationData
from nlpkit.settings.training import DialogueEvaluation, DialogueTraining, LanguageBase, Lora
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.tasks.dialogue_rows import encode_part
from nlpkit.training.chat_model import build_chat_model, finish_chat_model, load_chat_base
from nlpkit.training.dialogues import preflight_dialogue
from nlpkit.training.language_model_objective import language_model_objective, verify_packing
from nlpkit.training.loaded_base import LoadedBase, save_initial
from nlpkit.training.rows import Rows, load_rows
from nlpkit.training.runs import RunInProgress, TrainOptions, train_seeds
from nlpkit.training.trainer import fit, planned_steps


class DialogueConfig(SeededSettings):
    """All that this recipe can do."""

    recipe: Literal["dialogue"]
    task: Dialogue = Dialogue()
    data: ConversationData
    base: LanguageBase = LanguageBase()
    lora: Lora = Lora()
    training: DialogueTraining = DialogueTraining()
    evaluation: DialogueEvaluation = DialogueEvaluation()


Config = DialogueConfig


def train(config: DialogueConfig, options: TrainOptions) -> list[Run]:
    """Train one run a seed, measure each next to its base, and report it; none when only checked."""
    rows = load_rows(config.task, config.data, seed=config.seed)
    base = load_chat_base(config.base)
    held_out = {"test": rows.test} if rows.test else {"validation": rows.validation}
    asked = config.evaluation.model_dump(exclude={"judge"})

    def report(run: Run) -> None:
        judge = judge_of(config.evaluation)
        for name, part in held_out.items():
            report_dialogue(
                run, part, data=name, judge=judge, talk=options.talk, progress=options.count, **asked
            )

    return train_seeds(
        config,
        options,
        facts={"data": rows.describe(), "base": base.identity.model_dump()},
        train_one=partial(_train_one, config, rows, base),
        report=report,
        not_trained_on=frozenset({"evaluation"}),
    )


def _train_one(config: DialogueConfig, rows: Rows[Dialogue], base: LoadedBase, job: RunInProgress) -> None:
    settings = config.training
    train_part = encode_part(rows.train, base.tokenizer, base.max_tokens)
    held_out = encode_part(rows.validation, base.tokenizer, base.max_tokens)
    model = build_chat_model(base, config.base, config.lora, seed=job.seed)
    objective = language_model_objective(
        train_part.rows,
        held_out.rows,
        tokenizer=base.tokenizer,
        training=settings,
        max_tokens=base.max_tokens,
    )
    facts = preflight_dialogue(
        rows, train_part, base, model, steps=planned_steps(len(objective.train), settings)
    )
    if settings.packing:
        verify_packing(model, train_part.rows, base.tokenizer.pad_token_id)
    if not job.begin(facts.lines, facts.warnings):
        return
    initial = save_initial(model, job.run, config.lora)
    model = fit(model, base.tokenizer, objective, training=settings, job=job)
    exact = config.base.quantize == "none"
    job.finish(
        lambda: finish_chat_model(job, model, base, rows, train_part.rows, initial=initial, exact=exact)
    )
