"""Measure a model on held-out conversations, and a dialogue run as it will be served, beside its base."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlpkit.data.examples import Conversation
from nlpkit.errors import ConfigError, DataError, SourceError
from nlpkit.evaluation.context_use import Listened, context_use, listen
from nlpkit.evaluation.instruments import Instruments, load_instruments
from nlpkit.evaluation.items import Item, Reach, last_turns, pick_items
from nlpkit.evaluation.judge import Judge
from nlpkit.evaluation.speaker import Speaker
from nlpkit.files import write_whole
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.ranking import RANKING_METRICS
from nlpkit.metrics.replies import REPLY_METRICS, ReplyOutcomes
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.dialogue_report import DialogueReport, Exchange, Rival, Verdict
from nlpkit.reports.keeping import curve, keep, source_card
from nlpkit.reports.report import Cost, DataCard
from nlpkit.run import Run, RunRecord, versions
from nlpkit.settings import ConversationSource, DialogueEvaluation
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.tasks.reading import read_examples

if TYPE_CHECKING:
    from nlpkit.generation.language_model import LanguageModel

UNFIT = "replies that the model cannot read at once with the turn before"

Tell = Callable[[int, int], None]
"""How much of the work is done, and how much there is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    listened: Listened
    replies: ReplyOutcomes | None


def measure_dialogue(
    speaker: Speaker,
    conversations: Sequence[Conversation],
    *,
    data: str,
    seed: int,
    items: int = 100,
    generate: int = 50,
    candidates: int = 20,
    rival: Speaker | None = None,
    judge: Judge | None = None,
    progress: Tell | None = None,
    reach: Reach | None = None,
    instruments: Instruments | None = None,
) -> DialogueReport:
    """The report of one model on held-out conversations; the rival answers exactly the same.

    Args:
        speaker: whom to measure.
        conversations: held out.
        data: what the report calls them.
        seed: draws items, candidates, histories, replies and resamples.
        items: how many replies of people it is asked about.
        generate: to how many of the items it replies; 0 generates nothing.
        candidates: how many replies it chooses from, the true one included.
        rival: another model, such as the base.
        judge: compares the replies of both.
        progress: told after each item.
        reach: how far both models read; what does not fit is passed over and counted.
        instruments: what replies are measured with; default: the encoder and the sentiment model of the catalogue, where they can be had.

    Raises:
        ConfigError: a judge without a rival or without replies.
        DataError: nothing to measure on.
        RunError: a model answers with no likelihood.
        SourceError: the judge cannot be asked.
    """
    _refuse_senseless(
        items=items, candidates=candidates, compared=rival is not None and generate > 0, judge=judge
    )
    picked = pick_items(conversations, items=items, candidates=candidates, seed=seed, reach=reach)
    answered = picked.items[:generate]
    instruments = instruments or (load_instruments() if answered else Instruments(embed="", negative=""))
    clock = _Clock(
        progress, (len(picked.items) + len(answered)) * (2 if rival else 1) + (len(answered) if judge else 0)
    )
    ours = _find(speaker, picked.items, answered, instruments, seed, clock)
    theirs = _find(rival, picked.items, answered, instruments, seed, clock) if rival else None
    exchanges = _exchanges(answered, ours, theirs)
    return DialogueReport(
        run=speaker.name,
        data=data,
        seed=seed,
        conversations=picked.conversations,
        replies=len(picked.items),
        candidates=ours.listened.candidates,
        scores=_scores(ours, seed),
        context=context_use(ours.listened, seed=seed),
        rival=_rival(rival.name, ours, theirs, seed) if rival and theirs else None,
        exchanges=exchanges,
        verdict=judge.verdict(exchanges, seed=seed, tick=clock.tick) if judge else None,
        data_card=DataCard(dropped={UNFIT: picked.unfit} if picked.unfit else {}),
        versions=versions(),
    )


def evaluate_dialogue(
    run: Run, source: ConversationSource, *, settings: DialogueEvaluation, baseline: Run | None = None,
    talk: Callable[[str], None], progress: Tell | None = None,
) -> DialogueReport:  # fmt: skip
    """The scores of a run on conversations beside its base's, or a baseline run's, written into the run.

    Raises:
        DataError: a file or a conversation is wrong.
        RunError: a run is refused.
    """
    reading = read_examples(Dialogue(), [source], seed=run.read().seed)
    if reading.skipped:
        talk(f"left out: {len(reading.skipped)} conversations, such as {reading.skipped[0]}")
    return report_dialogue(
        run,
        reading.examples,
        data=source.source,
        talk=talk,
        progress=progress,
        rival=baseline,
        headline=False,
        judge=judge_of(settings),
        **settings.model_dump(exclude={"judge"}),
    )


def judge_of(settings: DialogueEvaluation) -> Judge | None:
    """The judge that the settings name."""
    return Judge(address=settings.judge.address, model=settings.judge.model) if settings.judge else None


def report_dialogue(
    run: Run,
    conversations: Sequence[Conversation],
    *,
    data: str,
    talk: Callable[[str], None],
    progress: Tell | None = None,
    items: int = 100,
    generate: int = 50,
    candidates: int = 20,
    judge: Judge | None = None,
    rival: Run | None = None,
    headline: bool = True,
) -> DialogueReport:
    """Measure a run beside its base, or another run, and write the report in every form; the first scores are said through `talk`.

    Args:
        run: whole.
        conversations: held out.
        data: what the report calls them.
        talk: gets lines for people.
        progress: told after each item.
        items: how many replies of people both models are asked about.
        generate: to how many of the items they reply.
        candidates: how many replies they choose from.
        judge: compares the replies of both; when it cannot be asked, that is said, and the rest is reported.
        rival: another dialogue run to compare with; default: the run's own base.
        headline: whether this is the run's own report and model card too.

    Raises:
        DataError: nothing to measure on.
        RunError: the run is refused.
    """
    from nlpkit.generation.language_model import LanguageModel
    from nlpkit.reports.dialogue_html import to_html
    from nlpkit.reports.dialogue_text import model_card, to_markdown

    record = run.read()
    tuned = LanguageModel.load(run)
    other = LanguageModel.load(rival) if rival else LanguageModel.without_adapter(run)
    report = measure_dialogue(
        tuned,
        conversations,
        data=data,
        seed=record.seed,
        items=items,
        generate=generate,
        candidates=candidates,
        rival=other,
        progress=progress,
        reach=reach_of(tuned, other),
    )
    report = _completed(run, record, report, verdict=_verdict(judge, report, talk))
    page = to_html(report)
    keep(run, data, report=report.to_json(), markdown=to_markdown(report), page=page)
    if headline:
        write_whole(run.report, page)
        write_whole(run.card, model_card(report, record.model_dump(mode="json")))
    shown = ", ".join(
        f"{one.title} {one.shown(one.value)} ({one.interval})" for one in list(report.scores.values())[:3]
    )
    talk(f"{data}: {shown}")
    return report


def reach_of(*models: LanguageModel) -> Reach:
    """How far all of the models read: a reply in half of the window, the last turn before it in the other half, and what fits beside."""
    from nlpkit.prompts.build import build_prompt, encode_reply

    def fits(history: Conversation, reply: str) -> bool:
        return all(_fits(model, last_turns(history, 1), reply) for model in models)

    def _fits(model: LanguageModel, last: Conversation, reply: str) -> bool:
        room = model.window // 2
        try:
            build_prompt(model.task.with_system(last), model.tokenizer, room)
        except DataError:
            return False
        return len(encode_reply(reply, model.tokenizer)) <= room

    def seen(history: Conversation, replies: Sequence[str]) -> Conversation:
        dropped = []
        for model in models:
            room = model.window - max(len(encode_reply(one, model.tokenizer)) for one in replies)
            dropped.append(build_prompt(model.task.with_system(history), model.tokenizer, room).dropped)
        return last_turns(history, len(history.turns) - max(dropped))

    return Reach(fits=fits, seen=seen)


def _refuse_senseless(*, items: int, candidates: int, compared: bool, judge: Judge | None) -> None:
    if items < 1 or candidates < 2:
        raise ConfigError(
            f"items: {items}, candidates: {candidates}; expected at least 1 item and 2 candidates"
        )
    if judge and not compared:
        raise ConfigError(
            "a judge compares the replies of two models; expected a rival, and replies to generate"
        )


class _Clock:
    """Counts what is done."""

    def __init__(self, tell: Tell | None, total: int) -> None:
        self._tell, self._total, self._done = tell, total, 0

    def tick(self) -> None:
        self._done += 1
        if self._tell:
            self._tell(self._done, self._total)


def _find(
    speaker: Speaker,
    asked: Sequence[Item],
    answered: Sequence[Item],
    tools: Instruments,
    seed: int,
    clock: _Clock,
) -> _Found:
    found = listen(speaker, asked, tick=clock.tick)
    replies = []
    for number, item in enumerate(answered):
        replies.append(speaker.reply(item.history, seed=seed + number))
        clock.tick()
    truths = [item.reply for item in answered]
    return _Found(listened=found, replies=tools.measure(replies, truths) if replies else None)


def _scores(found: _Found, seed: int) -> dict[str, Score]:
    scores = bootstrap(found.listened.outcomes(), RANKING_METRICS, seed=seed)
    return scores | (bootstrap(found.replies, REPLY_METRICS, seed=seed) if found.replies else {})


def _tests(ours: _Found, theirs: _Found, seed: int) -> dict[str, PairedTest]:
    first, second = ours.listened.outcomes(), theirs.listened.outcomes()
    tests = {metric.name: paired(metric, first, second, seed=seed) for metric in RANKING_METRICS}
    if ours.replies and theirs.replies:
        tests |= {
            metric.name: paired(metric, ours.replies, theirs.replies, seed=seed) for metric in REPLY_METRICS
        }
    return tests


def _rival(name: str, ours: _Found, theirs: _Found, seed: int) -> Rival:
    return Rival(
        name=name,
        scores=_scores(theirs, seed),
        tests=_tests(ours, theirs, seed),
        context=context_use(theirs.listened, seed=seed),
    )


def _exchanges(answered: Sequence[Item], ours: _Found, theirs: _Found | None) -> tuple[Exchange, ...]:
    replies = ours.replies.replies if ours.replies else ()
    rivals = theirs.replies.replies if theirs and theirs.replies else (None,) * len(answered)
    return tuple(
        Exchange(
            where=item.history.where,
            system=item.history.system,
            history=tuple((turn.role, turn.text) for turn in item.history.turns),
            truth=item.reply,
            reply=reply,
            rival=other,
        )
        for item, reply, other in zip(answered, replies, rivals, strict=True)
    )


def _completed(
    run: Run, record: RunRecord, report: DialogueReport, *, verdict: Verdict | None
) -> DialogueReport:
    """The report with what only the run knows."""
    known = {
        "run": run.name,
        "verdict": verdict,
        "curve": curve(run),
        "data_card": _data_card(record.data, report.data_card),
        "cost": Cost(**record.cost),
        "config": run.config.read_text(encoding="utf-8"),
    }
    return report.model_copy(update=known)


def _verdict(judge: Judge | None, report: DialogueReport, talk: Callable[[str], None]) -> Verdict | None:
    """The judge's; hours of measuring are not thrown away because it is gone."""
    try:
        return judge.verdict(report.exchanges, seed=report.seed) if judge else None
    except SourceError as error:
        talk(f"no verdict: {error}")
        return None


def _data_card(data: Mapping[str, Any], measured: DataCard) -> DataCard:
    dropped = (
        {"near-duplicates of held-out texts": data["near_duplicates_dropped"]}
        if data.get("near_duplicates_dropped")
        else {}
    )
    return DataCard(
        counts={name: rows for name, rows in data.get("rows", {}).items() if rows},
        sources=tuple(source_card(name) for name in data.get("sources", ())),
        dropped={**dropped, **measured.dropped},
    )
