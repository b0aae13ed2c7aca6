"""What the processes of a cluster do, without a cluster: the reader, the workers, and their errors."""

from __future__ import annotations

import pickle
import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import ClassVar

import pytest

from nlpkit.data.opened_file import open_file
from nlpkit.errors import ConfigError, DataError, NlpkitError, RunError
from nlpkit.scoring.batches import TextRows
from nlpkit.scoring.chunks import ChunkPlan
from nlpkit.scoring.cluster import RayFleet, open_fleet
from nlpkit.scoring.folder_scoring import plan_folder
from nlpkit.scoring.listed_rows import AnswerColumns
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.output_columns import plan_columns
from nlpkit.scoring.score import score_file
from nlpkit.scoring.workers import ModelFacts, ModelProbe, Worker, read, unpacked
from nlpkit.scoring.writers import writer_of


def work_of(source, engine, *, target="csv", skip=False) -> ChunkPlan:
    rows = TextRows(file=open_file(source), text="text", skip=skip)
    columns = plan_columns(rows, (), target, engine.columns)
    return ChunkPlan(
        rows=rows,
        columns=columns,
        writer=writer_of(target, columns),
        answers=AnswerColumns.of(engine.columns, "text"),
        prefix="",
        chunk_rows=4,
    )


@pytest.fixture
def source(tmp_path, write):
    return write(tmp_path / "in.csv", [{"text": f"text {n}", "n": n} for n in range(10)])


def facts(engine, budget=None):
    return ModelFacts(columns=engine.columns, fingerprint=engine.fingerprint, budget=budget)


@pytest.mark.parametrize("target", ["csv", "jsonl", "parquet"])
def test_reader_and_workers_make_the_bytes_of_one_process(tmp_path, source, engine, target):
    work = pickle.loads(pickle.dumps(work_of(source, engine, target=target)))  # noqa: S301
    worker = Worker(lambda: engine, [work], facts(engine))
    outcomes = [chunk for block in read([(work, 0)]) for _, chunk in unpacked(worker(block))]
    assert [(chunk.read, chunk.rows) for chunk in outcomes] == [(4, 4), (4, 4), (2, 2)]
    made = work.writer.header() + b"".join(chunk.data for chunk in outcomes)
    (tmp_path / "partial").write_bytes(made)
    whole = work.writer.seal(tmp_path / "partial", tmp_path / "whole")
    score_file(engine, source, tmp_path / f"out.{target}", chunk_rows=4)
    assert whole.read_bytes() == (tmp_path / f"out.{target}").read_bytes()
    assert [batch.read for block in read([(work, 4)]) for _, batch in unpacked(block)] == [4, 2]


def test_an_error_comes_at_its_place_and_as_it_would_on_one_machine(tmp_path, engine):
    source = tmp_path / "in.csv"
    source.write_text("text,n\n" + "".join(f"{'' if n == 6 else 'x'},{n}\n" for n in range(9)))
    work = work_of(source, engine)
    worker = Worker(lambda: engine, [work], facts(engine))
    outcomes = [outcome for block in read([(work, 0)]) for _, outcome in unpacked(worker(block))]
    assert outcomes[0].rows == 4
    assert isinstance(outcomes[1], DataError)
    assert "row 7, column 'text': the text is empty" in str(outcomes[1])
    assert len(outcomes) == 2


def test_a_worker_that_is_not_like_the_first_says_so(source, engine, make_engine):
    work = work_of(source, engine)
    other = Worker(lambda: make_engine(fingerprint="fake-2"), [work], facts(engine))
    ((_, outcome),) = unpacked(other(next(read([(work, 0)]))))
    assert isinstance(outcome, RunError)
    assert "not those of the first worker" in str(outcome)


def test_a_model_that_a_worker_cannot_load_is_said_as_on_one_machine(source, engine):
    def missing():
        raise RunError("runs/mine: no such run")

    work = work_of(source, engine)
    ((_, outcome),) = unpacked(Worker(missing, [work], facts(engine))(next(read([(work, 0)]))))
    assert (type(outcome), str(outcome)) == (RunError, "runs/mine: no such run")
    assert isinstance(ModelProbe(missing).facts(), RunError)


def test_what_is_a_bug_is_no_answer(source, engine, make_engine):
    work = work_of(source, engine)
    with pytest.raises(RuntimeError, match="broken on purpose"):
        Worker(lambda: make_engine(break_at=0), [work], facts(engine))(next(read([(work, 0)])))


def score_folder(predictor, source, target, *, progress=None, **options):
    return plan_folder(source, target, ScoreOptions(**options)).score(predictor, progress=progress)


class Tuned:
    """A model that answers with its budget."""

    fingerprint, columns, budget = "tuned", {"label": "string"}, 512

    def tune(self, texts):
        self.budget = 100 * len(texts)
        return self.budget


class Here(RayFleet):
    """A fleet whose scout is in this process."""

    here: ModelProbe | None = None

    def _ask(self, what, *arguments):
        self.here = self.here or ModelProbe(self._load)
        return getattr(self.here, what)(*arguments)


def test_the_scout_tunes_and_the_workers_take_what_it_found(source, engine):
    fleet = Here(Tuned, workers=2, gpus=False)
    assert (fleet.columns, fleet.fingerprint, fleet.budget) == ({"label": "string"}, "tuned", 512)
    assert fleet.tune(["a"] * 7) == fleet.budget == 700
    worker = Worker(
        Tuned,
        [work_of(source, engine)],
        ModelFacts(columns={"label": "string"}, fingerprint="tuned", budget=fleet.budget),
    )
    assert worker._predictor.budget == 700


def test_a_model_without_a_budget_is_not_asked_for_one(engine):
    fleet = Here(lambda: engine, workers=1, gpus=False)
    assert fleet.tune(["a"] * 2000) is fleet.budget is None
    with pytest.raises(ConfigError, match="a budget of 300 is asked for"):
        fleet.budget = 300


def test_standard_input_is_refused(source, engine):
    work = work_of(source, engine)
    piped = replace(work, rows=replace(work.rows, file=open_file("-", format="csv")))
    with pytest.raises(ConfigError, match="expected a file to score with --ray"):
        next(Here(lambda: engine, workers=1, gpus=False).chunks(piped, done=0, budget=None))


class InProcess(Here):
    """A fleet whose reader and worker are in this process."""

    streams: ClassVar[list[list[str]]] = []

    def _outcomes(self, parts, budget):
        self.streams.append([f"{part.plan.rows.file.path.name} from {part.done}" for part in parts])
        worker = Worker(
            self._load,
            [part.plan for part in parts],
            ModelFacts(columns=self.columns, fingerprint=self.fingerprint, budget=budget),
        )
        for block in read([(part.plan, part.done) for part in parts]):
            yield from unpacked(worker(block))


@pytest.fixture
def streams(monkeypatch):
    monkeypatch.setattr(InProcess, "streams", [])
    return InProcess.streams


def test_a_folder_is_one_stream_so_that_each_worker_loads_its_model_once(
    tmp_path, write, make_engine, streams
):
    (tmp_path / "in").mkdir()
    for name in ("a.csv", "b.csv", "c.csv"):
        write(tmp_path / "in" / name, [{"text": f"{name} {n}"} for n in range(9)])
    loaded = []

    def load():
        loaded.append(make_engine(break_at=4 if len(loaded) < 2 else None))
        return loaded[-1]

    fleet = InProcess(load, workers=1, gpus=False)
    with pytest.raises(RuntimeError):
        score_folder(fleet, tmp_path / "in", tmp_path / "out", chunk_rows=4)
    assert len(loaded) == 2  # the scout and the worker
    assert (
        score_folder(
            InProcess(load, workers=1, gpus=False), tmp_path / "in", tmp_path / "out", chunk_rows=4
        ).rows
        == 27
    )
    assert streams == [["a.csv from 0", "b.csv from 0", "c.csv from 0"], ["b.csv from 4", "c.csv from 0"]]
    score_folder(make_engine(), tmp_path / "in", tmp_path / "alone", chunk_rows=4)
    for name in ("a.csv", "b.csv", "c.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_a_file_that_changed_before_its_turn_is_read_anew(tmp_path, write, make_engine, streams, read):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.csv", "b.csv"):
        write(folder / name, [{"text": f"{name} {n}"} for n in range(3)])

    def tell(at):
        if at.rows == 3 and len(streams) == 1:
            write(folder / "b.csv", [{"text": "new"}])

    summary = score_folder(
        InProcess(make_engine, workers=1, gpus=False), folder, tmp_path / "out", progress=tell
    )
    assert summary.rows == 4
    assert [row["text"] for row in read(tmp_path / "out" / "b.csv")] == ["new"]
    assert streams == [["a.csv from 0", "b.csv from 0"], ["b.csv from 0"]]


def test_without_ray_the_extra_is_named(monkeypatch, engine):
    monkeypatch.setitem(sys.modules, "ray", None)
    with ExitStack() as stack, pytest.raises(ConfigError, match=r"pip install 'nlpkit\[ray\]'"):
        stack.enter_context(open_fleet(lambda: engine, None))


@pytest.mark.parametrize("address", ["ray://host:1", "host", "host:", ":6379", "host:port"])
def test_an_address_that_cannot_be_meant_is_refused(address, engine):
    pytest.importorskip("ray")
    with ExitStack() as stack, pytest.raises(NlpkitError, match="expected host:port"):
        stack.enter_context(open_fleet(lambda: engine, address))
