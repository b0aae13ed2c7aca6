"""The command as a user meets it: what it prints where, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import sentences, write_csv
from tests.fakes import FakeClassifier

COMMANDS = (
    *("train", "evaluate", "score", "predict", "check", "export", "zero-shot", "guide"),
    *("chat", "demo", "serve", "feedback", "push", "runs"),
)


class Said:
    def __init__(self, code: int, out: str, talk: str) -> None:
        self.code, self.out, self.talk = code, out, " ".join(talk.split())


@pytest.fixture
def nlpkit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(*arguments: object) -> Said:
        from nlpkit.cli.app import main

        monkeypatch.setattr(sys, "argv", ["nlpkit", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "reviews.csv", sentences(30, seed=8))


def test_help_teaches_and_every_command_has_an_example(nlpkit) -> None:
    said = nlpkit("--help")
    assert said.code == 0
    for command in (*COMMANDS, "sources"):
        assert f"│ {command} " in said.out
    for panel in ("Train and measure", "Predict and score", "Chat", "Runs, models and data sets"):
        assert f"─ {panel} ─" in said.out
    for topic in ("Sentiment and dialogue", "fine-tune", "measure", "score files", "chat with", "serve it"):
        assert topic in " ".join(said.out.split())
    for command in COMMANDS:
        assert "Example" in nlpkit(command, "--help").out


def test_j2_a_wheel_carries_the_demo_and_starts_it(tmp_path: Path) -> None:
    """Laid out as a wheel is unpacked, with another package called demo in the way."""
    root = Path(__file__).parents[3]
    packages = tmp_path / "site-packages"
    (packages / "nlpkit").mkdir(parents=True)
    for entry in (root / "nlpkit").iterdir():
        (packages / "nlpkit" / entry.name).symlink_to(entry)
    shutil.copytree(root / "demo", packages / "nlpkit" / "demo_")
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "__init__.py").write_text("raise RuntimeError('the wrong demo')")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nlpkit", "demo", *arguments],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(packages)}, capture_output=True, text=True,
        )  # fmt: skip

    help = run("--help")
    assert help.returncode == 0
    assert "Usage: nlpkit demo [OPTIONS]" in help.stdout
    assert "--login" in help.stdout
    refused = run("--host", "nlpkit.example")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "hint: --login FILE, or --anyone" in refused.stderr


def test_the_help_of_train_names_recipes_and_configs(nlpkit) -> None:
    shown = nlpkit("train", "--help").out
    for name in ("sentiment", "dialogue", "preference", "distill", "quickstart", "chitchat", "sst2-minilm"):
        assert name in shown
    listed = nlpkit("train", "--list")
    assert listed.code == 0
    assert "Movie sentences, positive or negative" in " ".join(listed.out.replace("│", " ").split())


def test_old_names_of_options_work_and_name_the_new_ones(nlpkit, toy_run: Path, tmp_path: Path) -> None:
    said = nlpkit("predict", "--run", toy_run, "the food was lovely")
    assert (said.code, said.out.split()[0]) == (0, "positive")
    assert "--run RUN is now the first argument: nlpkit predict RUN TEXT..." in said.talk
    source = write_csv(tmp_path / "in.csv", [("good food", "5")], ("body", "stars"))
    said = nlpkit("score", toy_run, source, "-o", tmp_path / "old.csv", "--text-column", "body")
    assert said.code == 0
    assert "--text-column is now --text" in said.talk
    said = nlpkit("score", toy_run, source, "-o", tmp_path / "new.csv", "--text", "body")
    assert (said.code, "is now" in said.talk) == (0, False)
    assert (tmp_path / "old.csv").read_bytes() == (tmp_path / "new.csv").read_bytes()
    for command in ("score", "predict"):
        assert "--text-column" not in nlpkit(command, "--help").out
        assert "--run" not in nlpkit(command, "--help").out.replace("--runtime", "")


def test_version(nlpkit) -> None:
    from nlpkit import __version__

    assert nlpkit("--version").out.strip() == __version__


@pytest.mark.parametrize(
    "arguments",
    [
        ("scor", "x"),
        ("score",),
        ("train",),
        ("score", "a.csv", "-o", "b.csv", "--on-error", "ignore"),
        ("predict",),
    ],
)
def test_wrong_usage_ends_with_2(nlpkit, arguments: tuple[str, ...]) -> None:
    assert nlpkit(*arguments).code == 2


def test_predict_answers_in_words_or_json(nlpkit, toy_run: Path) -> None:
    said = nlpkit("predict", toy_run, "the food was lovely", "the food was awful")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()] == ["positive", "negative"]
    rows = [
        json.loads(line) for line in nlpkit("predict", toy_run, "a great place", "--json").out.splitlines()
    ]
    assert rows[0]["label"] == "positive"
    assert set(rows[0]) == {"text", "label", "score", "p_negative", "p_positive"}


def test_s6_predict_says_what_the_model_cannot_read(nlpkit, toy_run: Path) -> None:
    said = nlpkit("predict", toy_run, "这家酒店很干净", "the food was lovely", "ужасный отель")
    assert "2 of 3 texts (66.7%) are mostly unknown to the model's tokenizer (CJK 1, CYRILLIC 1)" in said.talk
    assert "multilingual" in said.talk
    assert "unknown" not in nlpkit("predict", toy_run, "the food was lovely").talk


def test_s6_a_scoring_counts_what_the_model_cannot_read(nlpkit, toy_run: Path, tmp_path: Path) -> None:
    rows = [("早餐太差了", "1"), ("good food", "2"), ("房间又小又吵", "3")]
    source = write_csv(tmp_path / "in.csv", rows, ("text", "id"))
    said = nlpkit("score", toy_run, source, "-o", tmp_path / "out.csv", "--json")
    assert json.loads(said.out)["unreadable"] == {"CJK": 2}
    said = nlpkit("score", toy_run, source, "-o", tmp_path / "again.csv")
    assert "2 of 3 texts (66.7%) are mostly unknown" in said.talk


def test_s6_check_and_preflight_say_what_the_base_cannot_read(
    nlpkit, toy_csv: Path, toy_config: Path, tiny_base: Path, tmp_path: Path
) -> None:
    rows = [(f"{text} {'房间又小又吵' * 8}", label) for text, label in sentences(12, seed=4)]
    chinese = write_csv(tmp_path / "chinese.csv", rows)
    report = json.loads(nlpkit("check", chinese, "--base", tiny_base, "--json").out)
    (finding,) = (finding for finding in report["findings"] if finding["kind"] == "unknown to the base")
    assert (finding["rows"], "CJK 12" in finding["message"]) == (12, True)
    report = json.loads(nlpkit("check", toy_csv, "--base", tiny_base, "--json").out)
    assert "unknown to the base" not in [finding["kind"] for finding in report["findings"]]
    sources = f"[{{source: {toy_csv}}}, {{source: {chinese}}}]"
    said = nlpkit("train", toy_config, "--check", f"data.train={sources}", "name=mixed")
    assert "texts" in said.talk
    assert "mostly unknown to the model's tokenizer (CJK" in said.talk
    assert "base.source: multilingual-e5-small" in said.talk


def test_predict_shows_hostile_text_inert(nlpkit, toy_run: Path) -> None:
    said = nlpkit("predict", toy_run, "good \x1b[31m [bold]x[/] \u202e")
    assert "\x1b" not in said.out
    assert "[bold]x[/]" in said.out


def test_score_keeps_columns_and_order(nlpkit, toy_run: Path, reviews: Path, tmp_path: Path) -> None:
    source, target = (
        write_csv(tmp_path / "in.csv", sentences(30, seed=8), ("text", "stars")),
        tmp_path / "scored.jsonl",
    )
    said = nlpkit("score", toy_run, source, "-o", target)
    assert (said.code, said.out) == (0, "")
    assert "30 rows scored" in said.talk
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [(row["text"], row["stars"]) for row in rows] == sentences(30, seed=8)
    assert list(rows[0]) == ["text", "stars", "label", "score", "p_negative", "p_positive"]


def test_a_column_of_ours_that_the_input_has_is_refused_and_prefix_cures_it(
    nlpkit, toy_run: Path, reviews: Path, tmp_path: Path
) -> None:
    said = nlpkit("score", toy_run, reviews, "-o", tmp_path / "scored.csv")
    assert said.code == 2
    assert "'label'" in said.talk
    assert "--prefix" in said.talk
    said = nlpkit("score", toy_run, reviews, "-o", tmp_path / "scored.csv", "--prefix", "nlp_")
    assert said.code == 0
    header = (tmp_path / "scored.csv").read_text().splitlines()[0]
    assert header == "text,label,nlp_label,nlp_score,nlp_p_negative,nlp_p_positive"


def test_score_takes_a_folder_and_passes_over_what_is_done(nlpkit, toy_run: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    write_csv(tmp_path / "in" / "a.csv", sentences(20, seed=8), ("text", "stars"))
    write_csv(tmp_path / "in" / "sub" / "b.csv", sentences(10, seed=9), ("text", "stars"))
    said = nlpkit("score", toy_run, tmp_path / "in", "-o", tmp_path / "out")
    assert (said.code, "30 rows scored" in said.talk) == (0, True)
    assert (tmp_path / "out" / "sub" / "b.csv").read_text().startswith("text,stars,label,score")
    assert "of them 30 from before" in nlpkit("score", toy_run, tmp_path / "in", "-o", tmp_path / "out").talk
    assert nlpkit("score", toy_run, tmp_path / "in", "-o", tmp_path / "in" / "out").code == 2


def test_ray_may_stand_alone_and_its_extra_is_named(
    nlpkit, toy_run: Path, reviews: Path, tmp_path: Path, monkeypatch
) -> None:
    class Fake(FakeClassifier):
        fingerprint, columns = "fake", {"label": "string", "score": "float"}

    asked = []

    @contextmanager
    def models(run, threads, ray, *_):
        asked.append(ray)
        yield Fake()

    with monkeypatch.context() as patched:
        patched.setattr("nlpkit.cli.score.scoring_models", models)
        for place, words in enumerate([(), ("--ray",), ("--ray", "host:6379"), ("--ray=host:6379",)]):
            assert (
                nlpkit("score", *words, reviews, "-o", tmp_path / f"{place}.csv", "--prefix", "x_").code == 0
            )
            assert (
                nlpkit("score", reviews, "-o", tmp_path / f"{place}-last.csv", "--prefix", "x_", *words).code
                == 0
            )
    assert asked == [None, None, "", "", *["host:6379"] * 4]
    monkeypatch.setitem(sys.modules, "ray", None)
    said = nlpkit("score", toy_run, reviews, "-o", tmp_path / "o.csv", "--ray", "--prefix", "x_")
    assert (said.code, "pip install 'nlpkit[ray]'" in said.talk) == (2, True)


def test_skipped_rows_end_with_5_and_stand_in_a_side_file(nlpkit, toy_run: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text,id\ngood food,1\n,2\nbad food,3\nragged\n")
    said = nlpkit("score", toy_run, source, "-o", tmp_path / "out.csv", "--on-error", "skip", "--json")
    assert said.code == 5
    assert json.loads(said.out)["rejected"] == 2
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3
    rejects = [json.loads(line) for line in (tmp_path / "out.csv.rejects.jsonl").read_text().splitlines()]
    assert [row["row"] for row in rejects] == [2, 4]


def test_r4_evaluation_skips_bad_rows_and_says_how_many(nlpkit, toy_run: Path, tmp_path: Path) -> None:
    run, source = tmp_path / "run", tmp_path / "held.csv"
    shutil.copytree(toy_run, run)
    source.write_text("text,label\ngood food,positive\n,positive\nbad food,negative\nragged\n")
    said = nlpkit("evaluate", run, source)
    assert said.code == 3
    assert "2 rows cannot be used" in said.talk
    assert "--on-error skip" in said.talk
    said = nlpkit("evaluate", run, source, "--on-error", "skip")
    assert said.code == 5
    assert "2 rows left out; row 2: column 'text': the text is empty; row 4: " in said.talk
    assert "2 texts (2 left out)" in next((run / "evaluation").glob("*held*.md")).read_text()
    source.write_text("text,label\ngood food,positive\n,positive\n")
    said = nlpkit("evaluate", run, source)
    assert (said.code, said.talk.count("--on-error skip")) == (3, 1)
    source.write_text("text,label\ngood food,positive\nbad food,negative\n")
    said = nlpkit("evaluate", run, source, "--on-error", "skip", "--json")
    assert (said.code, json.loads(said.out)["left_out"]) == (0, 0)


def test_a_bad_row_stops_with_3_and_its_place(nlpkit, toy_run: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text,id\ngood food,1\n,2\n")
    said = nlpkit("score", toy_run, source, "-o", tmp_path / "out.csv")
    assert said.code == 3
    assert "in.csv, row 2" in said.talk
    assert "--on-error skip" in said.talk
    assert not (tmp_path / "out.csv").exists()


def test_paths_are_checked_before_the_model_is_loaded(
    nlpkit, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(*_: object, **__: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("nlpkit.classifiers.classifier.Classifier.load", loaded)
    assert nlpkit("score", tmp_path / "missing.csv", "-o", tmp_path / "o.csv").code == 3
    assert nlpkit("score", reviews, "-o", reviews).code == 2
    said = nlpkit("score", reviews, "-o", tmp_path / "o.csv", "--text", "txt")
    assert said.code == 3
    assert "did you mean 'text'" in said.talk


def test_a_folder_that_is_no_run_ends_with_4(nlpkit, reviews: Path, tmp_path: Path) -> None:
    said = nlpkit("score", tmp_path, reviews, "-o", tmp_path / "o.csv")
    assert said.code == 4
    assert "not a run" in said.talk
    assert nlpkit("predict", tmp_path / "none", "x").code == 4
    assert nlpkit("predict", tmp_path, "x").code == 4


def test_check_reports_and_its_code_says_whether_to_worry(nlpkit, reviews: Path, tmp_path: Path) -> None:
    said = nlpkit("check", reviews, "--html", tmp_path / "c.html")
    assert said.code == 0
    assert "negative" in said.out
    assert "<svg" in (tmp_path / "c.html").read_text()
    broken = tmp_path / "broken.csv"
    broken.write_text("text,label\ngood,positive\nragged\nbad,negative\n")
    said = nlpkit("check", broken, "--json")
    assert said.code == 3
    report = json.loads(said.out)
    assert report["parts"]["data"]["rows"] == 2
    unreadable = report["findings"][0]
    assert (unreadable["kind"], unreadable["severity"], unreadable["rows"]) == ("unreadable", "error", 1)
    assert "broken.csv, row 2" in unreadable["examples"][0]["where"]
    assert f"unreadable: {broken}, row 2: " in said.talk


def test_j1_check_takes_the_words_of_evaluate_for_conversations(nlpkit, tmp_path: Path) -> None:
    path = tmp_path / "tickets.csv"
    path.write_text("ticket,author,body\n1,client,hello\n1,agent,good day\n2,client,alone\n")
    words = ("check", path, "--conversation", "ticket", "--speaker", "author", "--text", "body")
    said = nlpkit(*words)
    assert (said.code, "hint: say which side the model learns: --bot second" in said.talk) == (3, True)
    said = nlpkit(*words, "--bot", "second", "--json")
    assert (said.code, "one turn only" in said.talk) == (3, True)
    assert json.loads(said.out)["parts"]["data"]["dialogue"]["speakers"] == {"client": 1, "agent": 1}
    assert nlpkit(*words, "--bot", "second", "--on-error", "skip").code == 0


def test_s12_the_page_of_a_check_is_not_written_over_the_data(nlpkit, reviews: Path) -> None:
    before = reviews.read_bytes()
    done = nlpkit("check", reviews, "--html", reviews)
    assert done.code == 2
    assert "is the data; expected another file to write; hint: --html check.html" in done.talk
    assert reviews.read_bytes() == before


def test_s18_evaluate_says_that_a_run_is_no_better_than_one_answer(
    nlpkit, toy_run: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(toy_run, tmp_path / "toy")
    other = {"negative": "positive", "positive": "negative"}
    wrong = write_csv(tmp_path / "wrong.csv", [(text, other[label]) for text, label in sentences(60, seed=5)])
    said = nlpkit("evaluate", run, wrong)
    assert "compared with always answering negative" in said.out
    assert "is no better than always answering negative (50.0%)" in said.talk
    as_json = nlpkit("evaluate", run, wrong, "--json")
    assert "no better than always answering negative" in json.loads(as_json.out)["warnings"][0]
    assert "toy was trained on " in said.talk  # S19
    right = nlpkit("evaluate", run, write_csv(tmp_path / "right.csv", sentences(60, seed=5)))
    assert "no better than" not in right.out + right.talk


def test_evaluate_prints_scores_and_compares(nlpkit, toy_run: Path, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "held.csv", sentences(60, seed=21))
    said = nlpkit("evaluate", toy_run, data, "--baseline", toy_run, "--json")
    assert said.code == 0
    report = json.loads(said.out)
    assert report["scores"]["accuracy"]["count"] == 60
    assert report["baselines"][0]["tests"]["accuracy"]["difference"] == 0
    table = nlpkit("evaluate", toy_run, data, "--baseline", toy_run)
    assert "Macro F1" in table.out
    # S21: a run does not differ from itself
    assert "compared with toy" in table.out
    assert re.search(r"Accuracy .* \+0\.0 points .* 1\.000 .* unclear", table.out)
    stars = write_csv(
        tmp_path / "stars.csv", [("good food", "5"), ("bad food", "1"), ("sad place", "1")], ("body", "stars")
    )
    columns = ("--text", "body", "--label", "stars")
    report = json.loads(
        nlpkit("evaluate", toy_run, stars, *columns, "--labels", "{1: negative, 5: positive}", "--json").out
    )
    assert report["scores"]["accuracy"]["count"] == 3
    assert (
        json.loads(nlpkit("evaluate", toy_run, stars, *columns, "--bins", "[3]", "--json").out)["scores"]
        == report["scores"]
    )
    assert nlpkit("evaluate", toy_run, stars, *columns, "--bins", "[x").code == 2
    assert nlpkit("evaluate", toy_run, stars, *columns, "--bins", "[x]").code == 2
    unknown = write_csv(tmp_path / "unknown.csv", [("good", "positive"), ("bad", "negatve")])
    said = nlpkit("evaluate", toy_run, unknown)
    assert said.code == 3
    assert "row 2" in said.talk
    assert "did you mean 'negative'" in said.talk


def test_r3_evaluate_skips_bad_rows_and_counts_them(nlpkit, toy_run: Path, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "held.csv", [*sentences(12, seed=21), ("good", "nothing")])
    assert nlpkit("evaluate", toy_run, data).code == 3
    said = nlpkit("evaluate", toy_run, data, "--on-error", "skip", "--json")
    assert said.code == 5
    assert json.loads(said.out)["scores"]["accuracy"]["count"] == 12
    assert "1 rows left out; row 13" in said.talk


def test_train_check_and_its_refusals(nlpkit, toy_config: Path, tmp_path: Path) -> None:
    said = nlpkit("train", toy_config, f"output={tmp_path}", "--check")
    assert said.code == 0
    assert "to train on" in said.talk
    assert list(tmp_path.iterdir()) == []
    assert nlpkit("train", toy_config, "training.lrr=1").code == 2
    assert nlpkit("train", toy_config, "data.train.0.source=nowhere.csv").code == 3
    assert nlpkit("train", toy_config, "recipe=sentimnet").code == 2
    said = nlpkit("train", toy_config, "base.source=minilm-6")
    assert said.code == 1
    assert "did you mean 'minilm-l6'" in said.talk


def test_runs_lists_whole_runs(nlpkit, toy_run: Path) -> None:
    rows = json.loads(nlpkit("runs", toy_run.parent, "--json").out)
    assert [row["path"] for row in rows] == [str(toy_run)]
    assert str(toy_run) in nlpkit("runs", toy_run.parent).out


def test_sources_lists_the_catalogue(nlpkit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path))
    rows = json.loads(nlpkit("sources", "--json").out)
    models, data = (
        {"minilm-l6", "mpnet-base", "smollm2-135m"},
        {"movie-reviews", "tweets", "sentiment-ratings", "chitchat", "movie-dialog"},
    )
    assert models | data <= {row["name"] for row in rows}
    assert not any(row["cached"] for row in rows)
    assert "minilm-l6" in nlpkit("sources").out
    said = nlpkit("sources", "fetch", "tweet")
    assert said.code == 1
    assert "did you mean 'tweets'" in said.talk


def test_push_without_a_hub_says_what_it_needs(nlpkit, toy_run: Path) -> None:
    said = nlpkit("push", toy_run, "me/mine")
    assert said.code == 1
    assert "me/mine: not published" in said.talk
    assert "HF_TOKEN" in said.talk


def test_s15_a_push_is_private_unless_public_is_asked_for(
    nlpkit, toy_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import HfApi

    made: list[bool] = []
    monkeypatch.setattr(
        HfApi, "create_repo", lambda self, name, **options: made.append(options["private"]) or "https://hub"
    )
    monkeypatch.setattr(HfApi, "upload_folder", lambda self, **options: None)
    assert nlpkit("push", toy_run, "me/mine").code == 0
    assert nlpkit("push", toy_run, "me/mine", "--public").code == 0
    assert made == [True, False]


def test_j6_a_dry_push_lists_what_would_be_sent_and_sends_nothing(
    nlpkit, toy_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import HfApi

    monkeypatch.setattr(HfApi, "create_repo", lambda *arguments, **options: pytest.fail("asked the hub"))
    said = nlpkit("push", toy_run, "me/mine", "--dry-run")
    assert said.code == 0
    sent = {line.split("  ")[0].removeprefix(f"{toy_run}/") for line in said.out.splitlines()}
    assert {"README.md", "run.json", "config.yaml", "adapter/adapter_model.safetensors"} <= sent
    assert not any("evaluation" in name or "report" in name or "log" in name for name in sent)
    assert "me/mine, private" in said.talk


def test_score_reads_stdin_and_writes_stdout_with_nothing_but_data(toy_run: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "nlpkit",
        "score",
        str(toy_run),
        "-",
        "-o",
        "-",
        "--format",
        "csv",
        "--output-format",
        "jsonl",
    ]
    done = subprocess.run(command, input=b"text\ngood food\nbad food\n", capture_output=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["label"] for row in rows] == ["positive", "negative"]
    assert b"2 rows scored" in done.stderr


def test_a_codebook_becomes_a_guide_and_a_run(nlpkit, tiny_base: Path, reviews: Path, tmp_path: Path) -> None:
    said = nlpkit("guide", "sentiment")
    assert said.code == 0
    assert said.out.startswith("# Sentiment of a review\n")
    run = tmp_path / "runs" / "words"
    said = nlpkit("zero-shot", "sentiment", "--base", tiny_base, "--calibration", reviews, "-o", run)
    assert said.code == 0, said.talk
    assert f"report: {run / 'report.html'}" in said.talk
    assert json.loads(nlpkit("predict", run, "good", "--json").out)["label"] in ("negative", "positive")
    assert nlpkit("guide", run, "-o", tmp_path / "guide.md").code == 0
    assert (tmp_path / "guide.md").read_text(encoding="utf-8") == nlpkit("guide", "sentiment").out
    said = nlpkit("zero-shot", "sentimnt", "-o", run)
    assert said.code == 2
    assert "did you mean 'sentiment'?" in said.talk
