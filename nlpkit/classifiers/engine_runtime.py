"""The runtime of a run that a server answers for: a text in characters goes out, outputs come back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.answer_store import AnswerStore
from nlpkit.classifiers.engine import Engine, outputs_of, questions_for
from nlpkit.classifiers.runtime import SERVER
from nlpkit.classifiers.text_model import TextModel
from nlpkit.classifiers.text_tokenizer import TextTokenizer
from nlpkit.files import fingerprint, sha256_of
from nlpkit.generation.decision_server import Decision, DecisionServer
from nlpkit.generation.server_errors import REMOTE_KEY
from nlpkit.run import Run
from nlpkit.tasks.encoding import MAX_CHARACTERS, Frame, Offsets
from nlpkit.tasks.task import TextTask, text_task_from

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np


@dataclass(frozen=True, kw_only=True)
class EngineRuntime:
    """Asks a server about each text, several at a time."""

    engine: Engine
    task: TextTask
    store: AnswerStore
    spent: list[Decision] = field(default_factory=list)
    """The answers whose cost nobody has taken, those from the store included."""

    name = device = SERVER
    workers = False

    @property
    def identity(self) -> Mapping[str, str]:
        """The model, its address, and all that it is asked."""
        return {"engine": self._identity}

    @property
    def _identity(self) -> str:
        asked = {"address", "model", "protocol", "votes"}
        questions = [repr(question) for question in questions_for(self.task, self.engine)]
        return fingerprint({**self.engine.model_dump(include=asked), "questions": questions})

    def logits(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return (batch, outputs) for texts as code points, (batch, time).

        Raises:
            DecisionError: the server cannot be reached, or answers something else.
        """
        import numpy as np

        texts = ["".join(map(chr, row[kept.astype(bool)])) for row, kept in zip(ids, mask, strict=True)]
        answers = self._answers(list(dict.fromkeys(texts)))
        questions = questions_for(self.task, self.engine)
        outputs = [outputs_of(questions, answers[text].probabilities) for text in texts]
        return np.array(outputs, dtype=np.float64)

    def free(self) -> None:
        """Do nothing: a server has memory of its own."""

    def single_threaded(self) -> AbstractContextManager[None]:
        """Return a context that changes nothing."""
        return nullcontext()

    def begin(self) -> None:
        """Do nothing: there are no worker threads."""

    def take_cost(self) -> dict[str, Any]:
        """Return what the answers since the last call cost, also where they were in the store."""
        spent = self.spent.copy()
        self.spent.clear()
        read, written = (
            sum(getattr(each, name) for each in spent) for name in ("input_tokens", "output_tokens")
        )
        return {
            "texts_per_second": None,
            "requests": sum(decision.requests for decision in spent),
            "seconds_per_text": sum(decision.seconds for decision in spent) / max(1, len(spent)),
            "input_tokens": read,
            "output_tokens": written,
            "dollars": self.engine.dollars(read, written),
        }

    def _answers(self, texts: Sequence[str]) -> dict[str, Decision]:
        """Return the answer about each text: from the store, or from the server and into the store."""
        about = self._identity
        keys = {text: fingerprint({"about": about, "text": text}) for text in texts}
        known = self.store.read(list(keys.values()))
        answers = {text: known[key] for text, key in keys.items() if key in known}
        for text, decision in self._asked([text for text in texts if text not in answers]):
            self.store.write(keys[text], decision)
            answers[text] = decision
        self.spent.extend(answers.values())
        return answers

    def _asked(self, texts: Sequence[str]) -> Iterator[tuple[str, Decision]]:
        """Yield answers as they come. After an error those that are under way are still yielded."""
        if not texts:
            return
        questions = questions_for(self.task, self.engine)
        with self._server() as server:
            pool = ThreadPoolExecutor(self.engine.concurrency)
            try:
                asked = {pool.submit(server.decide, text, questions): text for text in texts}
                done, error = set(), None
                for answer in as_completed(asked):
                    done.add(answer)
                    if error := answer.exception():
                        break
                    yield asked[answer], answer.result()
                for answer in [answer for answer in asked if answer not in done and not answer.cancel()]:
                    if answer.exception() is None:
                        yield asked[answer], answer.result()
                if error:
                    raise error
            finally:  # an interrupt pays for no more texts
                pool.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def _server(self) -> Iterator[DecisionServer]:
        engine = self.engine
        server = DecisionServer(
            engine.address,
            engine.model,
            protocol=engine.protocol,
            votes=engine.votes,
            key=(os.environ.get(REMOTE_KEY) or "").strip() or None,
            timeout=engine.timeout,
            retries=engine.retries,
        )
        try:
            yield server
        finally:
            server.close()


def engine_model(engine: Engine, task: TextTask, *, answers: Path, name: str, identity: str) -> TextModel:
    """Return the text model of a server, which reads a text by its characters."""
    return TextModel(
        EngineRuntime(engine=engine, task=task, store=AnswerStore(answers)),
        TextTokenizer(ids=_code_points, placed=_placed, frame=Frame((), ()), pad_id=0),
        task,
        max_tokens=engine.characters,
        threads=engine.concurrency,
        name=name,
        identity=identity,
    )


def load_engine(run: Run) -> TextModel:
    """Load a run that a server answers for; the server is not asked before the first text."""
    record = run.read_verified()
    return engine_model(
        Engine.model_validate(record.engine),
        text_task_from(record.task),
        answers=run.answers,
        name=run.name,
        identity=sha256_of([run.marker]),
    )


def _placed(texts: Sequence[str]) -> list[tuple[list[int], Offsets]]:
    return [(ids, [(at, at + 1) for at in range(len(ids))]) for ids in _code_points(texts)]


def _code_points(texts: Sequence[str]) -> list[list[int]]:
    return [list(map(ord, text[:MAX_CHARACTERS])) for text in texts]
