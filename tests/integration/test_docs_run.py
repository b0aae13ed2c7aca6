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
from nlpkit.cli.app import app
from tests.conftest import sentences
from tests.tutorials import agrees
from tests.unit.test_docs import GUIDES, ROOT, blocks

pytestmark = pytest.mark.integration

PAGES = ("README.md", "docs/index.md", "docs/first-steps.md")


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


@pytest.mark.parametrize("page", PAGES[:2])
def test_the_output_below_a_command_is_its_output(page: str, folder: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    pairs = re.findall(r"(?ms)^```sh\n(nlpkit predict [^\n]*)\n```\n\n```text\n(.*?)^```$", text)
    assert pairs
    for command, shown in pairs:
        printed = run(command)
        assert agrees(printed, shown), printed


VERB = re.compile(
    r"nlpkit (score|shares|evaluate|explain|label next|check|analyze|watch)\b"
    r"|nlpkit (config|guide|zero-shot|sources|doctor)\b"
)
ELSEWHERE = re.compile(r"--ray|--themes|--doubts|s3://|fetch|behavior|--annotators|default-bot|project-7")
"""What needs other machines, a download, minutes, or files of other tools; other tests hold it."""
FILE = re.compile(r"^runs/|/$|\.(csv|parquet|gz|yaml|json|jsonl)$")
OUTPUTS = {"-o", "--html", "--state"}
COMMANDS = 43


def ready(page: str, folder: Path) -> list[str]:
    """Return the commands of a page whose files are in the folder."""
    found = []
    for line in "".join(blocks(page, "sh")).splitlines():
        command = line.partition(" > ")[0]
        words = shlex.split(command, comments=True)
        read = [word for before, word in pairwise(words) if FILE.search(word) and before not in OUTPUTS]
        if VERB.match(line) and not ELSEWHERE.search(line) and all((folder / file).exists() for file in read):
            found.append(command)
    return found


@pytest.fixture(scope="module")
def mine(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the run `mine` and the files that the pages name."""
    import pandas as pd

    folder = tmp_path_factory.mktemp("mine")
    (folder / "runs").mkdir()
    for name in ("mine", "older"):
        (folder / "runs" / name).symlink_to(toy_run)
    texts, labels = zip(*sentences(240, seed=9), strict=True)
    rows = pd.DataFrame({"text": texts, "review_body": texts, "review": texts, "sentiment": labels})
    rows["date"] = pd.date_range("2026-01-05", periods=240).strftime("%Y-%m-%d")
    rows["product"], rows["language"] = ["kettle", "kettle", "lamp", "lamp"] * 60, "en"
    rows["region"], rows["stars"] = ["north", "south"] * 120, [1, 5] * 120
    for name in ("reviews.csv", "today.csv", "reviews/a.csv", "2026/a.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        rows.to_csv(folder / name, index=False)
    for name in ("held-out", "labeled", "train", "spring"):
        rows.assign(label=labels).to_csv(folder / f"{name}.csv", index=False)
    rows.assign(label=labels)[::2].to_csv(folder / "test.csv", index=False)
    rows.rename(columns={"text": "body"}).to_json(folder / "reviews.jsonl.gz", orient="records", lines=True)
    score_file(Classifier.load(toy_run), folder / "reviews.csv", folder / "scored.parquet")
    (folder / "codebook.yaml").write_text(blocks("docs/zero-shot.md", "yaml")[0], encoding="utf-8")
    return folder


@pytest.mark.parametrize("page", [page for page in GUIDES if page not in PAGES])
def test_the_commands_of_a_guide_run(
    page: str, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(mine, tmp_path / "mine", symlinks=True))
    for command in ready(page, Path()):
        for before, word in pairwise(shlex.split(command)):
            if before == "-o" and Path(word).is_file():  # what the command above wrote
                Path(word).unlink()
        run(command)


def test_most_commands_with_files_are_tried(mine: Path) -> None:
    assert sum(len(ready(page, mine)) for page in GUIDES if page not in PAGES) >= COMMANDS


@pytest.mark.parametrize("page", ["docs/first-steps.md", "docs/migrate.md"])
def test_the_python_of_a_page_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    examples = blocks(page, "python")
    assert examples
    for example in examples:
        exec(compile(example, page, "exec"), {})  # noqa: S102
    printed = capsys.readouterr().out
    if page == "docs/first-steps.md":
        assert printed == "positive\nnegative\n"
    else:  # first VADER, then nlpkit, on a negation
        assert printed.splitlines()[0] == "negative"
        assert printed.splitlines()[1].startswith("negative -0.")
