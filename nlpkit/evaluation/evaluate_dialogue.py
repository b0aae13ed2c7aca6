"""Measure a dialogue run as it will be served, compared with its base, and write its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.data.examples import Conversation
from nlpkit.errors import DataError
from nlpkit.evaluation.chat_behavior import (
    SOURCES,
    CaseResult,
    load_chat_suite,
    run_chat_suite,
    suite_report,
)
from nlpkit.evaluation.items import Reach, last_turns
from nlpkit.evaluation.judge import Judge
from nlpkit.evaluation.measure_dialogue import Progress, measure_dialogue
from nlpkit.evaluation.overlap import with_overlap
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.replies import ReplyOutcomes
from nlpkit.reports.keeping import of_run, shown_scores, source_card, warning_lines, write_report
from nlpkit.reports.parts import DataCard
from nlpkit.reports.report import Report
from nlpkit.reports.usage import REPLY_USAGE
from nlpkit.run import Run
from nlpkit.settings.data import ConversationSource
from nlpkit.settings.training import DialogueEvaluation
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.tasks.reading import SHOWN_REASONS, read_examples

if TYPE_CHECKING:
    from nlpkit.generation.language_model import LanguageModel


def evaluate_dialogue(
    run: Run, source: ConversationSource, *, settings: DialogueEvaluation, baseline: Run | None = None,
    talk: Callable[[str], None], progress: Progress | None = None,
) -> Report:  # fmt: skip
    """Return a run's scores on conversations, or on the suite of `chat_behavior`, compared with its base or a
    baseline run; they are written into the run.

    Raises:
        DataError: a file or a conversation is wrong.
        RunError: a run is refused.
    """
    if source.source in SOURCES and not Path(source.source).exists():
        return report_chat_suite(run, source.source, baseline=baseline, progress=progress)
    reading = read_examples(Dialogue(), [source], seed=run.read().seed)
    for reason in reading.skipped[:SHOWN_REASONS]:
        talk(f"left out: {reason}")
    return report_dialogue(
        run,
        reading.examples,
        data=source.source,
        left_out=reading.left_out,
        talk=talk,
        progress=progress,
        baseline=baseline,
        headline=False,
        judge=judge_of(settings),
        **settings.model_dump(exclude={"judge"}),
    )


def report_chat_suite(
    run: Run, name: str, *, baseline: Run | None = None, progress: Progress | None = None
) -> Report:
    """Let a run and its base, or a baseline run, answer the suite as they are served; write the report."""
    from nlpkit.generation.chatbot import Chatbot
    from nlpkit.generation.language_model import LanguageModel

    cases, seed = load_chat_suite(SOURCES[name]), run.read().seed

    def results(model: LanguageModel, done: int) -> tuple[CaseResult, ...]:
        def show(count: int, total: int) -> None:
            if progress:
                progress(done + count, 2 * total)

        with closing(Chatbot.of(model)) as chat_model:
            return run_chat_suite(chat_model, cases, seed=seed, progress=show)

    ours = results(LanguageModel.load(run), 0)
    compared = LanguageModel.load(baseline) if baseline else LanguageModel.without_adapter(run)
    theirs = results(compared, len(cases))
    report = suite_report(run.name, ours, data=name, seed=seed, baseline=(compared.name, theirs))
    report = report.model_copy(update=of_run(run))
    write_report(run, report)
    return report


def judge_of(settings: DialogueEvaluation) -> Judge | None:
    """Return the judge that the settings name."""
    return Judge(**settings.judge.model_dump()) if settings.judge else None


def report_dialogue(
    run: Run,
    conversations: Sequence[Conversation],
    *,
    data: str,
    left_out: int = 0,
    talk: Callable[[str], None],
    progress: Progress | None = None,
    items: int = 100,
    generate: int = 50,
    candidates: int = 20,
    judge: Judge | None = None,
    baseline: Run | None = None,
    own: Sequence[Metric[ReplyOutcomes]] = (),
    headline: bool = True,
) -> Report:
    """Measure a run compared with its base, or another run, and write the report in every form.

    Args:
        run: completed.
        conversations: held out.
        data: what the report calls them.
        left_out: conversations that could not be used.
        talk: gets lines for people, the first scores among them.
        progress: called after each item.
        items: how many replies of people both models are asked about.
        generate: to how many of the items they reply.
        candidates: how many replies they choose from.
        judge: compares the replies of both.
        baseline: another dialogue run to compare with; default: the run's own base.
        own: the user's own metrics of replies.
        headline: whether this is the run's own report and model card too.

    Raises:
        DataError: nothing to measure on.
        RunError: the run is refused.
    """
    from nlpkit.generation.language_model import LanguageModel

    record = run.read()
    tuned = LanguageModel.load(run)
    compared = LanguageModel.load(baseline) if baseline else LanguageModel.without_adapter(run)
    measured = measure_dialogue(
        tuned,
        conversations,
        seed=record.seed,
        items=items,
        generate=generate,
        candidates=candidates,
        baseline=compared,
        judge=judge,
        progress=progress,
        reach=reach_of(tuned, compared),
        own=own,
        talk=talk,
    )
    report = measured.report(data)
    card = _data_card(record.data, report.data_card)
    report = report.model_copy(update={**of_run(run), "data_card": card, "left_out": left_out})
    report = with_overlap(report, run, tuned.task.family, conversations, baseline)
    write_report(run, report, card=REPLY_USAGE if headline else None)
    talk(f"{data}: {shown_scores(report)}")
    for line in warning_lines(report) if headline else ():
        talk(line)
    return report


def reach_of(*models: LanguageModel) -> Reach:
    """Return how far all of the models read.

    A reply takes at most half of the window, the last turn before it the other half, and older turns what is
    left.
    """
    from nlpkit.prompts.build import build_prompt, encode_reply

    def fits(history: Conversation, reply: str) -> bool:
        return all(_fits(model, last_turns(history, 1), reply) for model in models)

    def _fits(model: LanguageModel, last: Conversation, reply: str) -> bool:
        available = model.window // 2
        try:
            build_prompt(model.task.with_system(last), model.tokenizer, available)
        except DataError:
            return False
        return len(encode_reply(reply, model.tokenizer)) <= available

    def seen(history: Conversation, replies: Sequence[str]) -> Conversation:
        dropped = []
        for model in models:
            available = model.window - max(len(encode_reply(reply, model.tokenizer)) for reply in replies)
            dropped.append(build_prompt(model.task.with_system(history), model.tokenizer, available).dropped)
        return last_turns(history, len(history.turns) - max(dropped))

    return Reach(fits=fits, seen=seen)


def _data_card(data: Mapping[str, Any], measured: DataCard) -> DataCard:
    near = data.get("near_duplicates_dropped")
    dropped = {"near-duplicates of held-out texts": near} if near else {}
    return measured.model_copy(
        update={
            "counts": {name: rows for name, rows in data.get("rows", {}).items() if rows},
            "sources": tuple(source_card(name) for name in data.get("sources", ())),
            "dropped": {**dropped, **measured.dropped},
        }
    )
