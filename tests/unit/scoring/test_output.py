from __future__ import annotations

import os
import time

import pytest

from nlpkit.errors import ConfigError, DataError, NlpkitError
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.score import plan_file


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("text\nfine\n")
    return path


def refused(source, target, *, kind: type[NlpkitError] = ConfigError, **options) -> str:
    with pytest.raises(kind) as caught:
        plan_file(source, target, ScoreOptions(**options))
    assert type(caught.value) is kind
    return str(caught.value)


def test_good_paths_are_told_apart_and_nothing_is_written(tmp_path, source):
    plan = plan_file(source, tmp_path / "out.jsonl.gz", ScoreOptions())
    assert (plan.file.file.format, plan.output.format, plan.output.compress) == ("csv", "jsonl", True)
    assert plan.file.header.columns == ("text",)
    assert (plan.output.rejects, plan.output.folder) == (
        tmp_path / "out.jsonl.gz.rejects.jsonl",
        tmp_path / "out.jsonl.gz.nlpkit",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("read_as", "written_as"),
    [("csv", "csv"), ("tsv", "tsv"), ("tsv-plain", "tsv"), ("jsonl", "jsonl"), ("arrow", "jsonl")],
)
def test_standard_output_takes_the_format_of_the_input_where_it_is_text(read_as, written_as):
    plan = plan_file("-", "-", ScoreOptions(format=read_as))
    assert (plan.file.path, plan.file.header) == (None, None)
    assert (plan.output.path, plan.output.format, plan.output.rejects) == (None, written_as, None)


def test_formats_that_are_said_go_before_names(tmp_path):
    source = tmp_path / "rows.txt"
    source.write_text('{"text": "a"}\n')
    plan = plan_file(source, tmp_path / "out.dat", ScoreOptions(format="jsonl", output_format="parquet"))
    assert (plan.file.file.format, plan.output.format) == ("jsonl", "parquet")


def test_an_output_that_cannot_be_meant_is_refused(tmp_path, source):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    (tmp_path / "hard.csv").hardlink_to(source)
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "file").write_text("")
    assert "symbolic link" in refused(source, tmp_path / "link.csv")
    assert str(tmp_path / "elsewhere.csv") in refused(source, tmp_path / "link.csv")
    assert "is a folder; expected a file to write" in refused(source, tmp_path / "folder.csv")
    assert "is not a regular file" in refused(source, tmp_path / "pipe.csv", overwrite=True)
    os.mkfifo(tmp_path / "pipe")
    assert "does not show a format" in refused(source, tmp_path / "pipe")  # and nobody waits for the pipe
    assert "is the input" in refused(source, source, overwrite=True)
    assert ">" not in refused(source, source, overwrite=True)  # a shell would empty the input
    assert "is the input" in refused(source, tmp_path / "hard.csv", overwrite=True)
    assert f"{tmp_path / 'no'}: not found" in refused(source, tmp_path / "no" / "out.csv")
    assert "not found" in refused(source, tmp_path / "file" / "out.csv")
    assert source.read_text() == "text\nfine\n"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("target", ["out.csv", "-"])
def test_s12_rejects_are_checked_as_the_output_is(tmp_path, source, target, overwrite):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "hard").hardlink_to(source)
    os.mkfifo(tmp_path / "pipe")

    def why(name: str) -> str:
        out = target if target == "-" else tmp_path / target
        return refused(source, out, on_error="skip", rejects=tmp_path / name, overwrite=overwrite)

    assert "in.csv: is the input; expected another file to write; hint: name another file" in why("in.csv")
    assert "is the input" in why("hard")
    assert "is a symbolic link" in why("link")
    assert "is a folder; expected a file to write" in why("folder")
    assert "is not a regular file; hint: name another file, as with --rejects bad.jsonl" in why("pipe")
    assert "is not a regular file" in why("/dev/null")
    assert "in.csv: cannot be written to" in why("in.csv/bad.jsonl")
    if target != "-":
        assert "out.csv: is the output" in why("out.csv")
        assert "out.csv: is the output" in why("folder/../out.csv")
        assert "lies in the folder of unfinished work" in why("out.csv.nlpkit/rejects")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "hard", "in.csv", "link", "pipe"]
    assert source.read_text() == "text\nfine\n"


def test_s12_the_rejects_of_an_output_may_not_be_the_input(tmp_path):
    """Scoring the rejects of an earlier scoring to the same output would delete them."""
    source = tmp_path / "out.csv.rejects.jsonl"
    source.write_text('{"text": "fine"}\n')
    assert "is the input" in refused(source, tmp_path / "out.csv", overwrite=True)


def test_s12_a_record_is_checked_as_the_output_is(tmp_path, source):
    assert "is the input" in refused(source, tmp_path / "out.csv", record=source)
    rejects = tmp_path / "bad.jsonl"
    assert "is written already" in refused(source, tmp_path / "out.csv", rejects=rejects, record=rejects)


def test_s12_folders_for_rejects_are_made(tmp_path, source, engine):
    source.write_text('text\nfine\n""\n')
    rejects = tmp_path / "new" / "bad.jsonl"
    for target in ("-", tmp_path / "out.csv"):
        options = ScoreOptions(on_error="skip", rejects=rejects, overwrite=True)
        plan_file(source, target, options).score(engine)
        assert rejects.is_file()


def test_a_folder_that_cannot_be_written_to_is_refused(source, tmp_path, monkeypatch):
    def read_only(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    assert f"{tmp_path}: cannot be written to (Read-only file system)" in refused(
        source, tmp_path / "out.csv"
    )


def test_an_output_format_that_cannot_be_meant_is_refused(tmp_path, source):
    assert "hint: say it, --output-format" in refused(source, tmp_path / "out.xyz")
    assert "did you mean 'parquet'" in refused(source, tmp_path / "out.csv", output_format="parkett")
    assert "compresses its own columns" in refused(source, tmp_path / "out.dat.gz", output_format="parquet")
    assert "standard output cannot be arrow" in refused(source, "-", output_format="arrow")
    assert "--format" in refused("-", tmp_path / "out.csv")


def test_a_bad_input_is_told_before_a_model_is_loaded(tmp_path, source):
    out, begin = tmp_path / "out.csv", time.perf_counter()
    assert "no such file; did you mean 'in.csv'?" in refused(tmp_path / "im.csv", out, kind=DataError)
    assert "is a folder" in refused(tmp_path, out, kind=DataError)
    assert "no column 'txet'; did you mean 'text'; hint: --text" in refused(
        source, out, text="txet", kind=DataError
    )
    (tmp_path / "empty.csv").write_text("")
    assert "empty.csv" in refused(tmp_path / "empty.csv", out, kind=DataError)
    os.mkfifo(tmp_path / "pipe.csv")
    assert "hint: pipe it in" in refused(tmp_path / "pipe.csv", out, kind=DataError)
    assert time.perf_counter() - begin < 60  # A pipe that is opened would wait for ever.
