"""Measure a chat model on held-out conversations, and a baseline on exactly the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nlpkit.data.examples import Conversation
from nlpkit.errors import ConfigError, SourceError
from nlpkit.evaluation.context_use import HistoryScores, context_use, score_histories
from nlpkit.evaluation.instruments import Instruments, load_instruments
from nlpkit.evaluation.items import Item, Reach, pick_items
from nlpkit.evaluation.judge import Judge
from nlpkit.generation.speaker import Speaker
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.metric import Metric, with_own
from nlpkit.metrics.ranking import RANKING_METRICS
from nlpkit.metrics.replies import REPLY_METRICS, ReplyOutcomes
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.parts import Baseline, DataCard
from nlpkit.reports.reply_findings import ContextUse, Exchange, JudgeVerdict, ReplyFindings
from nlpkit.reports.reply_sections import REPLY_SECTIONS, reply_count, reply_headlines, reply_summary
from nlpkit.reports.report import Report
from nlpkit.run import versions

UNFIT = "replies that the model cannot read at once with the turn before"

Progress = Callable[[int, int], None]
"""How much of the work is done, and how much there is."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What was found, and on how much."""

    name: str
    findings: ReplyFindings
    conversations: int
    replies: int
    unfit: int
    seed: int

    def report(self, data: str) -> Report:
        """Return the report on the data of that name."""
        findings = self.findings
        sections = (make(findings) for make in REPLY_SECTIONS)
        dropped = {UNFIT: self.unfit} if self.unfit else {}
        return Report(
            run=self.name,
            data=data,
            task="dialogue",
            seed=self.seed,
            unit="replies",
            measured=reply_count(self.replies, self.conversations),
            summary=reply_summary(findings),
            scores=findings.scores,
            details=findings.context.details,
            headlines=reply_headlines(findings),
            sections=tuple(section for section in sections if section),
            baselines=(findings.baseline,) if findings.baseline else (),
            data_card=DataCard(dropped=dropped, unit="conversations"),
            versions=versions(),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Answers:
    """What one model makes of the items."""

    histories: HistoryScores
    replies: ReplyOutcomes | None
    metrics: tuple[Metric[ReplyOutcomes], ...]

    def scores(self, seed: int) -> dict[str, Score]:
        scores = bootstrap(self.histories.outcomes(), RANKING_METRICS, seed=seed)
        return scores | (bootstrap(self.replies, self.metrics, seed=seed) if self.replies else {})

    def tests(self, baseline: _Answers, seed: int) -> dict[str, PairedTest]:
        first, second = self.histories.outcomes(), baseline.histories.outcomes()
        tests = {metric.name: paired(metric, first, second, seed=seed) for metric in RANKING_METRICS}
        if self.replies and baseline.replies:
            for metric in self.metrics:
                tests[metric.name] = paired(metric, self.replies, baseline.replies, seed=seed)
        return tests


def measure_dialogue(
    speaker: Speaker,
    conversations: Sequence[Conversation],
    *,
    seed: int,
    items: int = 100,
    generate: int = 50,
    candidates: int = 20,
    baseline: Speaker | None = None,
    judge: Judge | None = None,
    progress: Progress | None = None,
    reach: Reach | None = None,
    instruments: Instruments | None = None,
    own: Sequence[Metric[ReplyOutcomes]] = (),
    talk: Callable[[str], None] = lambda line: None,
) -> Measurement:
    """Return what one model scores on held-out conversations; the baseline answers exactly the same.

    Args:
        speaker: the model to measure.
        conversations: held out.
        seed: draws items, candidates, histories, replies and resamples.
        items: how many replies of people it is asked about.
        generate: to how many of the items it replies; 0 generates nothing.
        candidates: how many replies it chooses from, the true one included.
        baseline: another model, such as the base.
        judge: compares the replies of both; when it cannot be asked, that is reported, and the rest is
            measured.
        progress: called after each item.
        reach: how far both models read; what does not fit is left out and counted.
        instruments: what replies are measured with; default: the encoder and the sentiment model of the
            catalog, if available.
        own: the user's own metrics of replies.
        talk: gets lines for people.

    Raises:
        ConfigError: a judge without a baseline or without replies, or a metric of the user's own that fails.
        DataError: nothing to measure on.
        RunError: a model answers with no likelihood.
    """
    _refuse_invalid(
        items=items, candidates=candidates, compared=baseline is not None and generate > 0, judge=judge
    )
    picked = pick_items(conversations, items=items, candidates=candidates, seed=seed, reach=reach)
    answered = picked.items[:generate]
    tools = instruments or (load_instruments() if answered else Instruments(embed="", negative=""))
    steps = (len(picked.items) + len(answered)) * (2 if baseline else 1) + (len(answered) if judge else 0)
    clock = _Clock(progress, steps)
    metrics = with_own(REPLY_METRICS, own)

    def answers(model: Speaker) -> _Answers:
        histories = score_histories(model, picked.items, tick=clock.tick)
        return _Answers(
            histories=histories, replies=_replies(model, answered, tools, seed, clock), metrics=metrics
        )

    ours = answers(speaker)
    theirs = answers(baseline) if baseline else None
    exchanges = _exchanges(answered, ours, theirs)
    context = context_use(theirs.histories, seed=seed) if theirs else ContextUse()
    findings = ReplyFindings(
        scores=ours.scores(seed),
        candidates=ours.histories.candidates,
        context=context_use(ours.histories, seed=seed),
        baseline=Baseline(
            name=baseline.name,
            scores=theirs.scores(seed),
            tests=ours.tests(theirs, seed),
            details=context.details,
        )
        if baseline and theirs
        else None,
        baseline_context=context,
        exchanges=exchanges,
        verdict=_verdict(judge, exchanges, seed, clock, talk) if judge else None,
    )
    return Measurement(
        name=speaker.name,
        findings=findings,
        conversations=picked.conversations,
        replies=len(picked.items),
        unfit=picked.unfit,
        seed=seed,
    )


def _refuse_invalid(*, items: int, candidates: int, compared: bool, judge: Judge | None) -> None:
    if items < 1 or candidates < 2:
        raise ConfigError(
            f"items: {items}, candidates: {candidates}; expected at least 1 item and 2 candidates"
        )
    if judge and not compared:
        raise ConfigError(
            "a judge compares the replies of two models; expected a baseline, and replies to generate"
        )


class _Clock:
    """Counts what is done."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def tick(self) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total)


def _replies(
    speaker: Speaker, answered: Sequence[Item], tools: Instruments, seed: int, clock: _Clock
) -> ReplyOutcomes | None:
    replies = []
    for number, item in enumerate(answered):
        replies.append(speaker.reply(item.history, seed=seed + number))
        clock.tick()
    return tools.measure(replies, [item.reply for item in answered]) if replies else None


def _exchanges(answered: Sequence[Item], ours: _Answers, theirs: _Answers | None) -> tuple[Exchange, ...]:
    replies = ours.replies.replies if ours.replies else ()
    baseline = theirs.replies.replies if theirs and theirs.replies else (None,) * len(answered)
    return tuple(
        Exchange(
            where=item.history.where,
            system=item.history.system,
            history=tuple((turn.role, turn.text) for turn in item.history.turns),
            truth=item.reply,
            reply=reply,
            baseline=compared,
        )
        for item, reply, compared in zip(answered, replies, baseline, strict=True)
    )


def _verdict(
    judge: Judge, exchanges: Sequence[Exchange], seed: int, clock: _Clock, talk: Callable[[str], None]
) -> JudgeVerdict | None:
    """Return the judge's verdict; hours of measuring are not thrown away because it is gone."""
    try:
        return judge.verdict(exchanges, seed=seed, tick=clock.tick)
    except SourceError as error:
        talk(f"no verdict: {error}")
        return None
