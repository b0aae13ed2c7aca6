from __future__ import annotations

import shutil
from pathlib import Path

import openpyxl
import pytest

from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.scoring import folder_scoring
from nlpkit.scoring.locations import plan_location
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.progress import Progress
from tests.unit.scoring.conftest import score_at


def score_folder(predictor, source, target, **options):
    return score_at(predictor, str(source), str(target), **options)


FILES = {"a.csv": 9, "b.jsonl.gz": 5, "sub/a.csv": 7, "sub/deep/c.parquet": 6}


@pytest.fixture
def source(tmp_path, write) -> Path:
    folder = tmp_path / "in"
    for name, rows in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(folder / name, [{"text": f"{name} {n}", "n": n} for n in range(rows)])
    (folder / "_SUCCESS").write_text("")
    (folder / "notes.md").write_text("not rows")
    (folder / ".hidden").mkdir()
    write(folder / ".hidden" / "x.csv", [{"text": "hidden"}])
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_data_file_comes_out_at_its_place(tmp_path, engine, source, read):
    summary = score_at(engine, str(source), str(tmp_path / "out"), chunk_rows=4)
    assert (summary.rows, summary.rejected, summary.resumed_from, summary.output) == (
        27,
        0,
        0,
        tmp_path / "out",
    )
    for name, rows in FILES.items():
        found = read(tmp_path / "out" / name)
        assert [row["text"] for row in found] == [f"{name} {n}" for n in range(rows)]
        assert [row["label"] for row in found] == [engine.answer(str(row["text"])).label for row in found]
    made = [name for name in files_of(tmp_path / "out") if not name.startswith("_")]
    assert made == sorted(FILES)


def test_what_is_finished_is_passed_over_and_what_is_begun_goes_on(tmp_path, make_engine, source):
    score_folder(make_engine(), source, tmp_path / "whole", chunk_rows=4)
    calls = 3 + 2 + 2 + 2
    for broken in range(1, calls):
        target = tmp_path / f"out{broken}"
        with pytest.raises(RuntimeError):
            score_folder(make_engine(break_at=broken), source, target, chunk_rows=4)
        engine = make_engine()
        summary = score_folder(engine, source, target, chunk_rows=4)
        assert len(engine.asked) == calls - broken  # nothing is computed twice
        assert summary.rows == 27
        again = make_engine()
        assert score_folder(again, source, target, chunk_rows=4).resumed_from == 27
        assert again.asked == []
        assert {name: data for name, data in files_of(target).items() if not name.startswith("_")} == {
            name: data for name, data in files_of(tmp_path / "whole").items() if not name.startswith("_")
        }


def test_a_file_that_changed_or_another_model_is_refused_unless_overwritten(
    tmp_path, make_engine, source, write
):
    score_folder(make_engine(), source, tmp_path / "out")
    with pytest.raises(RunError, match=r"a\.csv: 9 rows are done, but with other settings: model"):
        score_folder(make_engine(fingerprint="fake-2"), source, tmp_path / "out")
    write(source / "sub" / "a.csv", [{"text": "new", "n": 1}])
    with pytest.raises(
        DataError, match=r"sub/a\.csv: 7 rows are done, but the content of the input has changed"
    ):
        score_folder(make_engine(), source, tmp_path / "out")
    engine = make_engine()
    assert score_folder(engine, source, tmp_path / "out", overwrite=True).rows == 21
    assert engine.asked == [["new"]]  # the others are what they should be
    (tmp_path / "out" / "a.csv").unlink()
    assert (
        score_folder(make_engine(), source, tmp_path / "out").resumed_from == 12
    )  # one that was taken away is made again


def test_a_file_that_is_not_ours_is_in_the_way(tmp_path, engine, source):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.csv").write_text("precious")
    with pytest.raises(ConfigError, match=r"a\.csv: exists already"):
        score_folder(engine, source, tmp_path / "out")


def test_rejected_rows_stand_apart_and_are_summed(tmp_path, engine, source):
    for name in ("a.csv", "sub/a.csv"):
        with (source / name).open("a") as file:
            file.write('"","1"\n')
    with pytest.raises(DataError, match="row 10"):
        score_folder(engine, source, tmp_path / "out")
    summary = score_folder(engine, source, tmp_path / "out", on_error="skip")
    assert (summary.rows, summary.rejected, summary.rejects) == (27, 2, tmp_path / "out" / "_rejects")
    assert list(files_of(tmp_path / "out" / "_rejects")) == ["a.csv.rejects.jsonl", "sub/a.csv.rejects.jsonl"]
    assert score_folder(engine, source, tmp_path / "out", on_error="skip").rejected == 2


def test_progress_tells_of_all_files(tmp_path, make_engine, source):
    with pytest.raises(RuntimeError):
        score_folder(
            make_engine(break_at=4), source, tmp_path / "out", chunk_rows=4
        )  # a.csv, and 4 rows of b
    seen: list[Progress] = []
    score_folder(make_engine(), source, tmp_path / "out", chunk_rows=4, progress=seen.append)
    assert [one.rows for one in seen] == [9, 13, 14, 14, 18, 21, 21, 25, 27]
    assert {one.total for one in seen} == {27}
    assert seen[-1].resumed_from == 13


def test_one_budget_for_all_files_from_the_first_large_one_on(
    tmp_path, make_engine, source, monkeypatch, read
):
    class Tunable(make_engine):
        budget = 512

        def __init__(self, fastest=2048, **options):
            super().__init__(**options)
            self.fastest, self.tuned = fastest, 0

        def tune(self, texts):
            self.budget, self.tuned = self.fastest, self.tuned + 1
            return self.budget

        def predict(self, texts):
            if self.budget is None:
                raise AssertionError
            return super().predict(texts)

    monkeypatch.setattr(folder_scoring, "WORTH_TUNING", 6)
    monkeypatch.setattr("nlpkit.scoring.job.WORTH_TUNING", 6)
    engine = Tunable()
    assert score_folder(engine, source, tmp_path / "out").budget == 2048
    assert engine.tuned == 1
    (tmp_path / "out" / "sub" / "a.csv").unlink()
    engine = Tunable(fastest=4096)
    assert score_folder(engine, source, tmp_path / "out").budget == 2048
    assert (engine.tuned, engine.budget) == (0, 2048)


def test_what_cannot_be_meant_is_refused_before_anything_is_written(tmp_path, source, engine):
    for target, found in (
        (source / "out", "lies in the folder"),
        (source, "lies in the folder"),
        (source / "a.csv", "is a file"),
    ):
        with pytest.raises(ConfigError, match=found):
            plan_location(str(source), str(target), ScoreOptions())
    for rejects, message in ((source / "bad", "lies in the folder"), (source / "a.csv", "is a file")):  # S12
        with pytest.raises(ConfigError, match=message):
            plan_location(str(source), str(tmp_path / "out"), ScoreOptions(rejects=rejects))
    with pytest.raises(ConfigError, match="keep the formats"):
        plan_location(str(source), str(tmp_path / "out"), ScoreOptions(output_format="csv"))
    with pytest.raises(DataError, match="did you mean 'text'"):
        plan_location(str(source), str(tmp_path / "out"), ScoreOptions(text="txt"))
    shutil.rmtree(source)
    source.mkdir()
    with pytest.raises(DataError, match="holds no data files"):
        plan_location(str(source), str(tmp_path / "out"), ScoreOptions())
    assert not (tmp_path / "out").exists()


def test_r2_a_workbook_in_a_folder_is_refused_by_name(tmp_path, source, engine):
    book = openpyxl.Workbook()
    book.active.append(["text"])
    book.active.append(["good"])
    book.save(source / "a.xlsx")
    with pytest.raises(ConfigError, match=r"a\.xlsx: a workbook cannot be scored in a folder.*hint: move it"):
        score_folder(engine, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_r3_an_export_of_many_files_is_refused_and_a_part_of_it_is_named(tmp_path, engine):
    slack, channel = tmp_path / "slack", tmp_path / "slack" / "my channel"
    channel.mkdir(parents=True)
    (slack / "users.json").write_text('[{"id": "U1", "name": "ann"}]')
    (slack / "channels.json").write_text('[{"id": "C1", "name": "my channel"}]')
    message = '{"type": "message", "user": "U1", "text": "hello", "ts": "1700000000.000100"}'
    (channel / "2023-11-14.json").write_text(f"[{message}]")
    with pytest.raises(DataError, match=f"is a whole slack export; .* such as '{channel}'"):
        score_at(engine, str(slack), str(tmp_path / "out"))
    assert score_at(engine, str(channel), str(tmp_path / "out")).rows == 1
    whatsapp = tmp_path / "whatsapp" / "chat.txt"
    whatsapp.parent.mkdir()
    whatsapp.write_text("14/11/2023, 10:01 - Ann: hello there\n")
    with pytest.raises(DataError, match=f"holds no data files; .* such as {whatsapp}"):
        score_at(engine, str(whatsapp.parent), str(tmp_path / "out2"))
    assert score_at(engine, str(whatsapp), str(tmp_path / "out.csv")).rows == 1
