"""The first minute: what `nlpkit` alone says, configs that are listed, shown and written, and TAB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from nlpkit.cli.completion import complete_configs, complete_keys, complete_runs, complete_sources
from nlpkit.config import find_problems
from nlpkit.training.train import read_training
from tests.conftest import sentences, write_csv


@pytest.fixture
def nlpkit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(*arguments: object) -> tuple[int, str, str]:
        from nlpkit.cli.app import main

        monkeypatch.setattr(sys, "argv", ["nlpkit", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, " ".join(captured.err.split())

    return call


def test_the_program_alone_shows_three_commands_to_try(nlpkit) -> None:
    code, out, _ = nlpkit()
    tried = [line.split()[1] for line in out.splitlines() if line.startswith("  nlpkit ")]
    assert (code, tried) == (0, ["predict", "config", "chat"])
    assert max(map(len, out.splitlines())) < 120


def test_help_and_a_missing_command_load_no_heavy_library() -> None:
    for arguments in (["--help"], []):
        code = (
            "import sys; from nlpkit.cli.app import main\n"
            f"sys.argv = ['nlpkit', *{arguments}]\n"
            "try: main()\nexcept SystemExit: pass\n"
            "heavy = {'torch', 'transformers', 'numpy', 'pyarrow', 'packaging'}\n"
            "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stderr.splitlines()[-1] == "[]"


def test_shipped_configs_are_listed_and_shown_as_they_stand(nlpkit) -> None:
    code, out, _ = nlpkit("config", "list", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert (code, rows["quickstart"]["recipe"], rows["chitchat"]["recipe"]) == (0, "sentiment", "dialogue")
    for name in ("quickstart", "engine"):
        shown = nlpkit("config", "show", name)
        assert shown[1] == Path(rows[name]["path"]).read_text(encoding="utf-8")
    assert "transformers serve" not in rows["engine"]["about"]
    code, _, talk = nlpkit("config", "show", "quickstat")
    assert (code, "did you mean 'quickstart'" in talk) == (2, True)


def test_a_config_for_a_file_trains_on_it(
    nlpkit, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "my reviews.csv", sentences(60, seed=2), ("review_body", "stars"))
    code, out, talk = nlpkit("config", "new", "my reviews.csv")
    assert (code, out) == (0, "")
    assert "'stars' holds negative 30, positive 30" in talk
    assert "config: my-reviews.yaml; check it: nlpkit train my-reviews.yaml --check" in talk
    code, _, talk = nlpkit("train", "my-reviews.yaml", "--check", f"base.source={tiny_base}")
    assert (code, "to report on" in talk) == (0, True), talk
    before = Path("my-reviews.yaml").read_bytes()
    code, _, talk = nlpkit("config", "new", "my reviews.csv")
    assert (code, "--overwrite" in talk) == (2, True)
    assert nlpkit("config", "new", "my reviews.csv", "--label", "star", "--overwrite")[0] == 3
    assert nlpkit("config", "new", "my reviews.csv", "-o", "my reviews.csv")[0] == 2
    assert nlpkit("config", "new", "my reviews.csv", "--overwrite")[0] == 0
    assert Path("my-reviews.yaml").read_bytes() == before


def test_tab_proposes_runs_configs_sources_and_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("done/run.json", "begun/config.yaml"):
        (tmp_path / "runs" / name).parent.mkdir(parents=True)
        (tmp_path / "runs" / name).touch()
    assert complete_runs("runs/") == [("runs/done", "")]
    assert [name for name, _ in complete_runs("")][:2] == ["default", "multilingual"]
    (tmp_path / "mine.yaml").write_text("recipe: sentiment\n")
    assert complete_configs("mi") == [("mine.yaml", "")]
    assert [name for name, _ in complete_configs("qu")] == ["quickstart"]
    assert [name for name, _ in complete_sources("minilm")] == ["minilm-l6"]
    context = SimpleNamespace(params={"config": Path("mine.yaml")})
    assert complete_keys(context, "training.l") == [("training.lr=", ""), ("training.label_smoothing=", "")]
    assert ("data.train.0.label=", "") in complete_keys(context, "data.train.0.l")
    assert complete_keys(SimpleNamespace(params={"config": Path("none.yaml")}), "") == []


def test_each_proposed_key_is_one_that_the_config_takes() -> None:
    context = SimpleNamespace(params={"config": Path("chitchat")})
    keys = [key.removesuffix("=") for key, _ in complete_keys(context, "")]
    assert {"base.source", "evaluation.judge.model", "data.train.0.bot", "seeds"} <= set(keys)
    training = read_training("chitchat", [f"{key}=null" for key in keys if key != "recipe"])
    problems = find_problems(training.tree, training.recipe.Config)
    assert [problem for problem in problems if "unknown key" in problem] == []
