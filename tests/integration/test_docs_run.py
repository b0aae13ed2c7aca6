"""The examples of the documents that need only the built-in classifier run, and print what is shown."""

from __future__ import annotations

import re
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nlpkit import Classifier, score_file
from nlpkit.classifiers.classifier import default_run
from nlpkit.cli.app import app
from tests.conftest import sentences
from tests.outputs import agrees, has_shape, output
from tests.unit.test_docs import GUIDES, ROOT, blocks

pytestmark = pytest.mark.integration

PAGES = ("README.md", "docs/index.md", "docs/first-steps.md")
VERB = re.compile(
    r"nlpkit (score|shares|evaluate|explain|label next|check|analyze|watch)\b"
    r"|nlpkit (config|guide|zero-shot|sources|doctor)\b"
)
ELSEWHERE = re.compile(
    r"--(ray|themes|doubts|annotators|calibration|max-error)|s3://|fetch|behavior|default-bot|project-7|onnx"
    r"|check reviews.csv --json"
)
"""What needs other machines, a download, minutes, other files or a better run; other tests hold it."""
INPUT = re.compile(r"^runs/|/$|\.(csv|parquet|gz|yaml|json|jsonl)$")
OUTPUTS = {"-o", "--html", "--state"}
TABLES = ("reviews", "held-out", "labeled", "train", "test", "spring", "today")
FILES = {f"{name}.csv" for name in TABLES} | {"reviews.jsonl.gz", "scored.parquet", "codebook.yaml"}
FILES |= {"runs/mine", "runs/older", "reviews/", "2026/"}
"""What `mine` holds."""


def ready(page: str) -> list[str]:
    """Return the commands of a page that need no other files."""
    found = []
    for line in "".join(blocks(page, "sh")).splitlines():
        command = line.partition(" > ")[0]
        words = shlex.split(command, comments=True)
        read = {word for before, word in pairwise(words) if INPUT.search(word) and before not in OUTPUTS}
        if VERB.match(line) and not ELSEWHERE.search(line) and read <= FILES:
            found.append(command)
    return found


COMMANDS = {page: ready(page) for page in GUIDES if page not in PAGES and "tutorials" not in page}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder with the shipped data, as a reader of the page has it."""
    shutil.copytree(ROOT / "recipes" / "data", tmp_path / "recipes" / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str) -> str:
    done = CliRunner().invoke(app, shlex.split(command, comments=True)[1:])
    assert done.exit_code == 0, f"{command}: {done.output}"
    return done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_first_minute_run(page: str, folder: Path) -> None:
    ready = [
        line
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if re.match(r"nlpkit (predict|score|analyze) (\"|recipes/data/sample.csv)", line)
    ]
    assert ready
    for line in ready:
        run(line)


@pytest.mark.parametrize("shown", [output("README.md", 0), output("docs/index.md", 0)])
def test_predictions_are_those_that_are_shown(shown: str, folder: Path) -> None:
    printed = run('nlpkit predict "What a lovely day" "two hours that I will never get back"')
    assert agrees(printed, shown), printed


def test_an_explanation_is_the_one_that_is_shown(folder: Path) -> None:
    printed = run("nlpkit explain 'a great film, but far too long 😡'")
    assert agrees(printed, output("docs/explain.md", 0)), printed


def test_the_checks_of_the_machine_are_those_that_are_shown(folder: Path) -> None:
    def names(text: str) -> set[str]:
        return {line[8:26].strip() for line in text.splitlines() if re.match(r"(ok|note) {4,}\S", line)}

    shown = output("docs/doctor.md", 0)
    assert len(names(shown)) == len(shown.splitlines())
    assert names(shown) <= names(run("nlpkit doctor"))


def test_the_check_of_a_page_has_the_lines_that_are_shown(folder: Path) -> None:
    import pandas as pd

    rows = pd.read_csv(ROOT / "docs" / "tutorials" / "reviews.csv")
    rows["product"] = rows["product"].where(rows["id"] % 20 > 0, "product " + rows["id"].astype(str))
    rows.loc[rows["id"] % 30 == 1, "product"] = None
    rows.loc[rows["id"] % 50 == 2, "date"] = None
    rows.to_csv("reviews.csv", index=False)
    printed = run("nlpkit analyze reviews.csv --check --by product --time date")
    assert has_shape(printed, output("docs/analyze.md", 1)), printed


def test_a_watched_stream_that_changes_prints_what_is_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    rows = pd.read_csv(ROOT / "docs" / "tutorials" / "reviews.csv")
    rows[:400].to_csv("spring.csv", index=False)
    bad = rows[rows["stars"] < 3].sample(100, random_state=0)
    pd.concat([rows[400:600], bad.assign(date="2026-10-01")]).to_csv("today.csv", index=False)
    monkeypatch.setenv("COLUMNS", "120")
    command = "nlpkit watch default today.csv --against spring.csv --time date"
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 6, done.output
    assert has_shape(done.stdout, output("docs/watch.md", 0)), done.stdout


@pytest.fixture(scope="module")
def mine(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the run `mine` and the files that the pages name."""
    import pandas as pd

    folder = tmp_path_factory.mktemp("mine")
    for name in ("mine", "older"):
        shutil.copytree(toy_run, folder / "runs" / name)
    rows = pd.DataFrame(sentences(480, seed=9), columns=["text", "sentiment"])
    rows["review_body"] = rows["review"] = rows["text"]
    rows["date"] = pd.date_range("2026-01-05", periods=480).strftime("%Y-%m-%d")
    rows["product"], rows["language"] = ["kettle", "kettle", "lamp", "lamp"] * 120, "en"
    rows["region"], rows["stars"] = ["north", "south"] * 240, [1, 5] * 240
    labeled, rows = rows[:240].assign(label=rows["sentiment"]), rows[240:]
    for name in ("reviews.csv", "today.csv", "reviews/a.csv", "2026/a.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        rows.to_csv(folder / name, index=False)
    for name in ("held-out", "labeled", "train", "spring"):
        labeled.to_csv(folder / f"{name}.csv", index=False)
    rows.assign(label=rows["sentiment"]).to_csv(folder / "test.csv", index=False)
    rows.rename(columns={"text": "body"}).to_json(folder / "reviews.jsonl.gz", orient="records", lines=True)
    score_file(Classifier.load(toy_run), folder / "reviews.csv", folder / "scored.parquet")
    (folder / "codebook.yaml").write_text(blocks("docs/zero-shot.md", "yaml")[0], encoding="utf-8")
    return folder


@pytest.mark.parametrize("page", [page for page, commands in COMMANDS.items() if commands])
def test_the_commands_of_a_guide_run(
    page: str, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, command in enumerate(COMMANDS[page]):
        folder = shutil.copytree(mine, tmp_path / str(number))
        if "-o scored.parquet" in command:
            (folder / "scored.parquet").unlink()
        monkeypatch.chdir(folder)
        run(command)


def test_the_check_of_a_scoring_has_the_lines_that_are_shown(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mine)
    printed = run("nlpkit score runs/mine reviews.csv --check --price-per-million 0.15")
    assert has_shape(printed, output("docs/scoring.md", 0)), printed


def test_many_commands_are_tried() -> None:
    assert sum(map(len, COMMANDS.values())) > 35


@pytest.mark.parametrize("page", ["docs/first-steps.md", "docs/migrate.md"])
def test_the_python_of_a_page_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    examples = blocks(page, "python")
    assert examples
    for example in examples:
        exec(compile(example, page, "exec"), {})  # noqa: S102
    printed = capsys.readouterr().out
    if page == "docs/first-steps.md":
        assert printed == output("docs/first-steps.md", 0)
    else:  # first VADER, then nlpkit, on a negation
        assert printed.splitlines()[0] == "negative"
        assert printed.splitlines()[1].startswith("negative -0.")


@pytest.mark.parametrize(
    ("page", "printed"),
    [
        ("docs/scoring.md", r"240 0 [\d.]+\n"),
        ("docs/evaluation.md", r"[\d.]+ \([\d.]+, [\d.]+\)\n"),
        ("docs/zero-shot.md", re.escape(output("docs/zero-shot.md", 0))),
    ],
)
def test_the_python_of_a_guide_runs(
    page: str, printed: str, mine: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    shutil.copy(mine / "reviews.csv", tmp_path)
    shutil.copytree(default_run().path, tmp_path / "runs" / "mine")
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks(page, "python")[0], page, "exec"), {})  # noqa: S102
    assert re.fullmatch(printed, capsys.readouterr().out)
