"""Every run, export and store that nlpkit 0.1.0 can write, read by the code of today: equal to the last bit.

The fixtures were written by `make_fixtures.py` with the code of commit 8392281. Each test works on a copy
of them, with the copy as its working folder: runs name their base, configs their data, by a path that is
relative to it. A fixture is never written again: where one cannot be read any more, mend the code.

The last bits of a sum depend on the processor and on the libraries that compute. Where both are those on
which the fixtures were written (`machine` in `answers.json`), every number must be the same. Elsewhere it
must lie within 1e-5, and what computes in eight bits or bfloat16 within 0.2, as rounding may tip over
there; what bots of eight or four bits say is then not compared at all. Texts, labels, files of the
made-up model and all else that is not computed are always compared exactly.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import nlpkit
import nlpkit.run_record
from nlpkit import Chatbot, Classifier, LanguageModel, Run, Session, Store, score_file
from nlpkit.generation.sampling import Sampler
from tests.legacy import asking  # what may move stands at its top

pytestmark = pytest.mark.integration

FIXTURES = Path(__file__).parent / "fixtures"
ANSWERS = json.loads((FIXTURES / "answers.json").read_text(encoding="utf-8"))
SAME = asking.machine() == ANSWERS["machine"]
NEAR, ROUGH = (0.0, 0.0) if SAME else (1e-5, 0.2)
CLASSIFIERS = sorted(name for name, answer in ANSWERS["runs"].items() if "torch" in answer)
BOTS = sorted(set(ANSWERS["runs"]) - set(CLASSIFIERS))
WHOLE = sorted(name for name in ANSWERS["scoring"] if "half" not in name)
HALF = sorted(set(ANSWERS["scoring"]) - set(WHOLE))


@pytest.fixture(autouse=True)
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixtures, to be written to, as the working folder, with the cache of exports among them."""
    shutil.copytree(FIXTURES, tmp_path / "fixtures")
    monkeypatch.chdir(tmp_path / "fixtures")
    monkeypatch.setenv("NLPKIT_CACHE", "cache")


def hold(found: Any, expected: Any, near: float = NEAR) -> None:
    """Nothing, where a value is the one expected."""
    assert asking.differences(found, expected, near) == []


def hold_roughly(found: Any, expected: Any) -> None:
    """Nothing, where a runtime that rounds answers as it did; on another machine its raw outputs lie near."""
    hold(found if SAME else found["logits"], expected if SAME else expected["logits"], ROUGH)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_answers_as_it_did(name: str) -> None:
    expected = ANSWERS["runs"][name]
    classifier = Classifier.load(name, runtime="torch", threads=1)
    hold(asking.ask_classifier(classifier), expected["torch"])
    hold_roughly(
        asking.ask_classifier(Classifier.load(name, runtime="torch-bf16", threads=1)), expected["torch-bf16"]
    )
    if SAME:
        assert classifier.fingerprint == expected["fingerprint"]


@pytest.mark.parametrize("name", sorted(ANSWERS["exports"]))
def test_an_exported_classifier_answers_as_it_did(name: str) -> None:
    found = asking.ask_classifier(Classifier.load(name, threads=1))
    (hold_roughly if "int8" in name else hold)(found, ANSWERS["exports"][name])


def test_an_export_in_the_cache_is_taken_for_its_run() -> None:
    pytest.importorskip("onnxruntime")
    (name,) = (one for one in ANSWERS["exports"] if one.startswith("cache"))
    before = exports_in_cache("exports")
    hold(
        asking.ask_classifier(Classifier.load("runs/polarity", runtime="onnx", threads=1)),
        ANSWERS["exports"][name],
    )
    if SAME:
        assert exports_in_cache("exports") == before  # not made anew


@pytest.fixture(autouse=True)
def penalty_of_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Penalize as the version that wrote the expected replies did: the whole prompt, control tokens too."""

    def sampler(self: Any, sampling: Any, conversation: Any, constraint: Any) -> Sampler:
        return Sampler(sampling, self._fit(conversation, sampling).ids, constraint=constraint)

    monkeypatch.setattr(Chatbot, "_sampler", sampler)
    monkeypatch.setattr("nlpkit.generation.sampling.LATELY", 1 << 20)


@pytest.mark.parametrize("name", BOTS)
def test_a_bot_says_what_it_said(name: str) -> None:
    expected = ANSWERS["runs"][name]
    hold(asking.ask_language(LanguageModel.load(name, threads=1)), expected["language"])
    hold(asking.ask_language(LanguageModel.without_adapter(name, threads=1)), expected["before"])
    hold(asking.ask_bot(Chatbot.load(name, threads=1)), expected["bot"])


def test_a_promoted_bot_is_found_by_its_file() -> None:
    run = asking.promoted(Path("runs/promoted.json"))
    hold(asking.ask_bot(Chatbot.load(run, threads=1)), ANSWERS["runs"]["runs/liked"]["bot"])


def test_a_merged_bot_says_what_it_said() -> None:
    hold(
        asking.ask_bot(Chatbot.default("exports/bot-merged", threads=1)),
        ANSWERS["bots"]["exports/bot-merged"],
    )


@pytest.mark.parametrize("runtime", ["onnx", "onnx-int8", "onnx-int4"])
def test_a_bot_exported_to_the_cache_says_what_it_said(runtime: Any) -> None:
    pytest.importorskip("onnxruntime_genai")
    before = exports_in_cache("onnx")
    found = asking.ask_bot(Chatbot.load("runs/bot", runtime=runtime, threads=1))
    if SAME or runtime == "onnx":
        hold(found, ANSWERS["bots"][runtime])
    if SAME:
        assert exports_in_cache("onnx") == before


def exports_in_cache(kind: str) -> list[str]:
    """The folders of exports."""
    return sorted(one.name for one in Path("cache", kind).iterdir() if one.is_dir())


def test_reports_are_read_whole() -> None:
    for path in sorted(Path("runs").glob("**/evaluation/*.json")):
        text = path.read_text(encoding="utf-8")
        hold(asking.measured(nlpkit.Report.from_json(text)), asking.measured_before(text), 0.0)
    text = Path("runs/student/distillation.json").read_text(encoding="utf-8")
    distillation = asking.read_distillation(text).model_dump(mode="json")
    hold(asking.without_additions(distillation), json.loads(text), 0.0)


def test_records_of_runs_are_read_whole() -> None:
    for name in ANSWERS["runs"]:
        run = Run.open(name)
        tree = json.loads(run.marker.read_text(encoding="utf-8"))
        hold(run.read().model_dump(mode="json"), nlpkit.run_record.in_current_format(tree), 0.0)
        if "comparison" in tree["data"]:
            comparison = asking.comparison_of(run).model_dump(mode="json")
            hold(asking.without_additions(comparison), tree["data"]["comparison"], 0.0)


@pytest.mark.parametrize(("name", "source"), [("polarity", asking.HELD), ("intensity", asking.RATED)])
def test_a_run_measured_anew_has_the_scores_it_had(name: str, source: nlpkit.DataSource) -> None:
    report = nlpkit.evaluate(Run.open(f"runs/{name}"), source)
    hold(asking.scores_of(json.loads(report.to_json())), ANSWERS["reports"][name])


def test_a_check_of_data_finds_what_it_found() -> None:
    hold(asking.check_data(), ANSWERS["reports"]["check"], 0.0)


@pytest.mark.parametrize("name", sorted(ANSWERS["configs"]))
def test_a_config_with_every_key_means_what_it_meant(name: str) -> None:
    path, foreign = Path("configs", name), FOREIGN.get(name, ())
    if foreign:  # keys that meant nothing to the task: ignored then, refused and named now
        with pytest.raises(nlpkit.ConfigError, match=f"has no .*{foreign[0]}.*hint: remove what it can't do"):
            asking.recipe_config(path)
        path.write_text(without(path.read_text(encoding="utf-8"), foreign), encoding="utf-8")
    config = asking.recipe_config(path).model_dump(mode="json")
    changes = asking.differences(config, ANSWERS["configs"][name])
    assert [change for change in changes if not any(f".{key}" in change for key in foreign)] == []


FOREIGN = {
    "intensity.yaml": ("labels", "bins", "class_weights"),
    "polarity.yaml": ("spread",),
}
"""Keys of the old configs with every key that their task can't use."""


def without(text: str, keys: Sequence[str]) -> str:
    """Take keys out of the sources, and whole lines out of the training."""
    for key in keys:
        text = re.sub(rf", {key}: (\{{[^}}]*\}}|\[[^\]]*\]|[^,}}]+)", "", text)
        text = re.sub(rf"^  {key}: .*\n", "", text, flags=re.MULTILINE)
    return text


@pytest.mark.parametrize("name", sorted(ANSWERS["runs"]))
def test_the_config_in_a_run_can_be_run_again(name: str) -> None:
    recipe = Run.open(name).read().recipe
    assert asking.recipe_config(Path(name, "config.yaml")).recipe == recipe


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_is_scored_as_it_was(name: str, tmp_path: Path) -> None:
    expected, ending = ANSWERS["scoring"][name], Path(name).suffix
    target = tmp_path / f"again{ending}"
    classifier = Classifier.load(expected["run"], runtime="torch", threads=1)
    summary = score_file(classifier, expected["source"], target, on_error="skip", budget=512)
    assert {
        one: getattr(summary, one) for one in ("rows", "rejected", "partly_read", "budget")
    }.items() <= expected.items()
    if SAME and ending != ".parquet":
        assert target.read_bytes() == Path(name).read_bytes()
    hold(rows_of(target), rows_of(Path(name)))


@pytest.mark.parametrize("name", WHOLE)
def test_a_finished_scoring_is_known_by_its_record_or_refused(name: str) -> None:
    before, expected = Path(name).read_bytes(), ANSWERS["scoring"][name]
    classifier = Classifier.load(expected["run"], runtime="torch", threads=1)
    record = Path(f"{name}.json")
    try:
        summary = score_file(classifier, expected["source"], name, on_error="skip", budget=512, record=record)
    except nlpkit.RunError as error:
        refused_for_its_version(error)
    else:
        assert summary.resumed_from == summary.rows + summary.rejected  # nothing was scored again
    assert Path(name).read_bytes() == before


@pytest.mark.parametrize("name", HALF)
def test_a_scoring_that_was_killed_in_the_middle_comes_to_the_same_end(name: str) -> None:
    expected = ANSWERS["scoring"][name]
    made_up = expected["engine"] == "made-up"
    engine = (
        asking.MadeUp()
        if made_up
        else Classifier.load(f"runs/{expected['engine']}", runtime="torch", threads=1)
    )
    options: dict[str, Any] = {"on_error": "skip", "chunk_rows": 10, "budget": None if made_up else 512}
    try:
        summary = score_file(engine, expected["source"], name, **options)
    except nlpkit.RunError as error:
        refused_for_its_version(error)
        summary = score_file(engine, expected["source"], name, overwrite=True, **options)
    else:
        assert summary.resumed_from == expected["done"]
    assert summary.rows == expected["rows"]
    whole = Path(f"{name}.whole{Path(name).suffix}")
    if SAME or made_up:
        assert Path(name).read_bytes() == whole.read_bytes()
    hold(rows_of(Path(name)), rows_of(whole))
    assert not Path(f"{name}.nlpkit").exists()


def refused_for_its_version(error: nlpkit.RunError) -> None:
    """Nothing, where a scoring may not go on because another version or machine began it, as it says."""
    assert "with other settings" in str(error)
    assert "nlpkit (0.1.0 then" in str(error) or ("model (" in str(error) and not SAME)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a scored file, numbers as numbers."""
    rows = [asking.plain(record.fields) for record in nlpkit.read_records(path)]
    return [{name: number(value) for name, value in row.items()} for row in rows]


def number(value: Any) -> Any:
    """The value, a number where a file without types holds one."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


@pytest.mark.parametrize("name", ["chat.db", "killed.db"])
def test_a_store_holds_what_it_held(name: str) -> None:
    expected = ANSWERS["stores"]["chat/chat.db"]
    with Store.open(Path("chat", name)) as store:
        hold(asking.ask_store(store, sorted(expected), sorted(expected[""]["found"])), expected, 0.0)


def test_a_kept_conversation_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    # The chat model was told of moods that are not sure, too
    monkeypatch.setattr("nlpkit.chat.sentiment.SURE", 0.0)
    expected = ANSWERS["stores"]["further"]
    bot = Chatbot.load("runs/bot", threads=1)
    with Store.open("chat/chat.db") as store:
        session = Session(store, bot, Classifier.load("runs/polarity", runtime="torch", threads=1))
        hold(asking.say_further(session, expected["chat"]), expected["said"])
        kept = [one.text for one in store.read(expected["chat"], "").messages]
    bot.close()
    assert kept[-1] == expected["said"]["reply"]


def test_a_store_of_the_first_version_is_what_the_fixture_is() -> None:
    database = sqlite3.connect("chat/chat.db")
    try:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
    finally:
        database.close()
