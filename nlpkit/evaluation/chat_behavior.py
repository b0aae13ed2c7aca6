"""A suite of short conversations for chat models: how often a model does what anyone would expect of it.

In the manner of CheckList (Ribeiro et al. 2020, arXiv:2005.04118), as in `behavior.py`: each case is a
minimum functionality test that needs no judge. The conversations are nlpkit's own. The two halves have no
wording and no fact in common: whoever builds a model may look at `dev`, and reports on `report`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from nlpkit.data.examples import Conversation, Role, Turn
from nlpkit.evaluation.behavior import Half
from nlpkit.evaluation.chat_checks import CHECKS, MEANINGS, Answered
from nlpkit.generation.completion import ChatModel, Completion
from nlpkit.generation.sampling import Sampling
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.ratio import Ratio, ratio_metric
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.parts import Baseline
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Example, Message, Section, Tag, Texts
from nlpkit.run import versions

NAME = "chat-behavior"
SOURCES: dict[str, Half] = {NAME: "report", f"{NAME}/dev": "dev"}
"""What `nlpkit evaluate RUN` takes instead of data, and which half it is."""

AT_ONCE = 32
"""Replies that are asked for at the same time."""

Progress = Callable[[int, int], None]


class ChatCase(BaseModel):
    """A line of the suite: a conversation that the model goes on with."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")
    topic: str
    half: Half
    turns: tuple[str | None, ...] = Field(min_length=1)
    """What the user says and what was answered, in turn; where that is null, the model itself answers."""
    expect: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseResult:
    """A case, and what a model made of it."""

    case: ChatCase
    conversation: Conversation
    """With the model's replies."""
    passed: bool
    ended: int
    """How many of its replies the model ended itself."""
    replies: int


def load_chat_suite(half: Half = "report") -> tuple[ChatCase, ...]:
    """Return the cases of one half."""
    lines = (resources.files("nlpkit.data") / "suites" / "chat.jsonl").read_text(encoding="utf-8")
    cases = (ChatCase.model_validate_json(line) for line in lines.splitlines())
    return tuple(case for case in cases if case.half == half)


def run_chat_suite(
    model: ChatModel,
    cases: Sequence[ChatCase],
    *,
    sampling: Sampling | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[CaseResult, ...]:
    """Let a chat model answer each case as it is served, by default with the default sampling settings.

    Args:
        model: the chat model.
        cases: of the suite.
        sampling: how tokens are chosen; its seed is replaced.
        seed: of the first case; the next ones count up.
        progress: called after each case.
    """
    settings = sampling or Sampling()
    results: list[CaseResult] = []
    for start in range(0, len(cases), AT_ONCE):
        talks = [_Talk(case, seed + start + number) for number, case in enumerate(cases[start:][:AT_ONCE])]
        while open_talks := [talk for talk in talks if talk.is_open]:
            streams = [talk.ask(model, settings) for talk in open_talks]
            for talk, stream in zip(open_talks, streams, strict=True):
                talk.hear("".join(stream), ended=stream.finish == "stop")
        results += [talk.result() for talk in talks]
        if progress:
            progress(len(results), len(cases))
    return tuple(results)


class _Talk:
    """One case while it is played."""

    def __init__(self, case: ChatCase, seed: int) -> None:
        self._case, self._seed = case, seed
        self._script = list(case.turns) if len(case.turns) % 2 == 0 else [*case.turns, None]
        self._turns: list[Turn] = []
        self._replies: list[str] = []
        self._ended: list[bool] = []
        self._go_on()

    @property
    def is_open(self) -> bool:
        """Whether the model has to answer."""
        return bool(self._script)

    def ask(self, model: ChatModel, sampling: Sampling) -> Completion:
        own = sampling.model_copy(update={"seed": self._seed + 1000 * len(self._replies)})
        return model.stream(Conversation(turns=tuple(self._turns)), sampling=own)

    def hear(self, reply: str, *, ended: bool) -> None:
        self._replies.append(reply)
        self._ended.append(ended)
        self._script.pop(0)
        self._turns.append(Turn(role="assistant", text=reply))
        self._go_on()

    def result(self) -> CaseResult:
        users = tuple(turn.text for turn in self._turns if turn.role == "user")
        answered = Answered(
            users=users, replies=tuple(self._replies), ended=self._ended[-1], expect=self._case.expect
        )
        return CaseResult(
            case=self._case,
            conversation=Conversation(turns=tuple(self._turns)),
            passed=CHECKS[self._case.topic](answered),
            ended=sum(self._ended),
            replies=len(self._ended),
        )

    def _go_on(self) -> None:
        """Play the written turns up to the next reply of the model."""
        while self._script and self._script[0] is not None:
            role: Role = "assistant" if len(self._turns) % 2 else "user"
            self._turns.append(Turn(role=role, text=self._script.pop(0) or ""))


def suite_report(
    run: str,
    ours: Sequence[CaseResult],
    *,
    data: str,
    seed: int = 0,
    baseline: tuple[str, Sequence[CaseResult]] | None = None,
) -> Report:
    """Return the report of a chat model on the suite, compared with a baseline on the same cases."""
    name, theirs = baseline or ("", None)
    scores: dict[str, Score] = {}
    compared: dict[str, Score] = {}
    tests: dict[str, PairedTest] = {}
    for key, metric in _metrics(ours).items():
        first, second = _outcomes(key, ours), _outcomes(key, theirs) if theirs else None
        scores |= bootstrap(first, [metric], seed=seed)
        if second is not None:
            compared |= bootstrap(second, [metric], seed=seed)
            tests[key] = paired(metric, first, second, seed=seed)
    return Report(
        run=run,
        data=data,
        task="dialogue",
        seed=seed,
        unit="conversations",
        measured=f"{len(ours)} conversations",
        summary=_summary(scores, name, compared),
        scores=scores,
        sections=_sections(ours, theirs, name),
        baselines=(Baseline(name=name, scores=compared, tests=tests),) if theirs else (),
        versions=versions(),
    )


def _metrics(results: Sequence[CaseResult]) -> dict[str, Metric[Ratio]]:
    """Return the metrics: all cases, each topic, and how many replies end by themselves."""
    described = {
        "passed": ("Passed", "Share of the suite's conversations in which the model does what is expected."),
        **{topic: (topic.capitalize(), MEANINGS[topic]) for topic in _topics(results)},
        "ended": ("Replies that end", "Share of all replies that the model ended itself."),
    }
    return {
        key: ratio_metric(
            lambda ratio: ratio, name=key, title=title, meaning=meaning, percent=True, scale=(0.0, 1.0)
        )
        for key, (title, meaning) in described.items()
    }


def _topics(results: Sequence[CaseResult]) -> list[str]:
    return list(dict.fromkeys(result.case.topic for result in results))


def _outcomes(key: str, results: Sequence[CaseResult]) -> Ratio:
    if key == "ended":
        return Ratio.of([result.ended for result in results], [result.replies for result in results])
    return Ratio.of([result.passed for result in results if key in ("passed", result.case.topic)])


def _summary(scores: dict[str, Score], name: str, compared: dict[str, Score]) -> tuple[str, ...]:
    passed, ended = scores["passed"], scores["ended"]
    facts = f" ({name}: {compared['passed'].shown(compared['passed'].value)})" if compared else ""
    return (
        f"It does what is expected in {passed.shown_with_interval} of {passed.count} conversations{facts}.",
        f"It ends {ended.shown(ended.value)} of its replies itself.",
    )


def _sections(
    ours: Sequence[CaseResult], theirs: Sequence[CaseResult] | None, name: str
) -> tuple[Section, ...]:
    pairs = list(zip(ours, theirs or (None,) * len(ours), strict=True))
    failed = [_example(first, second, name) for first, second in pairs if not first.passed]
    passed = [_example(first, second, name) for first, second in pairs if first.passed]
    sections = (("failed", "Failed", failed), ("passed", "Passed", passed))
    return tuple(
        Texts(id=id, title=title, nav=title, examples=tuple(examples), shown=5)
        for id, title, examples in sections
        if examples
    )


def _example(ours: CaseResult, theirs: CaseResult | None, name: str) -> Example:
    *before, last = ours.conversation.turns
    messages = [
        Message(who="user" if turn.role == "user" else "model's side", text=turn.text, role=turn.role)
        for turn in before
    ]
    answers = [Message(who="This run", text=last.text, role="run")]
    if theirs is not None:
        answers.append(Message(who=name, text=theirs.conversation.turns[-1].text, role="baseline"))
    return Example(
        tags=(Tag(text=ours.case.topic, good=ours.passed),), messages=tuple(messages), answers=tuple(answers)
    )
