import json
from pathlib import Path

import pytest

from nlpkit.errors import ConfigError, RunError
from nlpkit.files import fingerprint, sha256_of, write_whole
from nlpkit.run import Run, find_runs
from nlpkit.run_record import BaseModelIdentity, RunRecord


def record(**changes: object) -> RunRecord:
    base = BaseModelIdentity(source="minilm-l6", revision=None, weights_sha256="a", tokenizer_sha256="b")
    values = {
        "name": "r",
        "recipe": "sentiment",
        "created": "now",
        "task": {"kind": "polarity"},
        "base": base,
        "outputs": 2,
        "max_tokens": 8,
        "seed": 1,
        "data": {},
        "cost": {},
        "versions": {},
    }
    return RunRecord(**{**values, **changes})


def whole(path: Path) -> Run:
    run = Run.create(path, config="recipe: sentiment\n")
    run.finish(record())
    return run


def test_a_finished_run_is_whole_and_keeps_no_checkpoints(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "r", config="x")
    assert run.checkpoints.is_dir()
    assert not run.is_completed
    run.finish(record(task={"kind": "polarity", "temperature": 1.5}))
    assert Run.open(tmp_path / "r").read().task["temperature"] == 1.5
    assert not run.checkpoints.exists()
    assert [one.path for one in find_runs(tmp_path)] == [tmp_path / "r"]


def test_an_unfinished_run_says_how_to_go_on(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "r", config="x")
    with pytest.raises(
        RunError, match=r"did not come to its end; hint: nlpkit train .*config.yaml"
    ) as caught:
        Run.open(run.path)
    assert caught.value.exit_code == 4


def test_a_folder_that_is_no_run_is_refused_and_names_the_runs_inside(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"not a run: it holds no run.json$"):
        Run.open(tmp_path)
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "export.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RunError, match="an export; expected a run; hint: name the run that it was made of"):
        Run.open(tmp_path / "merged")
    whole(tmp_path / "seed-1")
    with pytest.raises(RunError, match="it holds the runs seed-1: name one of them"):
        Run.open(tmp_path)


def test_a_run_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    run = whole(tmp_path / "r")
    write_whole(run.marker, json.dumps({**json.loads(run.marker.read_text()), "format": 3}))
    with pytest.raises(RunError, match=r"format 3; this nlpkit reads up to 2; hint: pip install --upgrade"):
        run.read()


def test_format_1_kept_the_temperature_outside_the_task(tmp_path: Path) -> None:
    run = whole(tmp_path / "r")
    old = {**json.loads(run.marker.read_text()), "format": 1, "files": {}}
    write_whole(run.marker, json.dumps({**old, "temperature": 1.5}))
    assert run.read().task == {"kind": "polarity", "temperature": 1.5}
    write_whole(run.marker, json.dumps({**old, "temperature": 1.0}))
    assert run.read() == record()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}', '{"format": "x"}'])
def test_a_damaged_marker_is_refused(tmp_path: Path, text: str) -> None:
    run = whole(tmp_path / "r")
    run.marker.write_text(text)
    with pytest.raises(RunError, match=r"run\.json: (cannot be read|damaged)"):
        run.read()


SAVED = (
    *("adapter/adapter_config.json", "adapter/adapter_model.safetensors"),
    *("tokenizer/tokenizer.json", "config.yaml"),
)


def saved(path: Path) -> Run:
    """A completed run, each of its files holding `abc`."""
    run = Run.create(path, config="abc")
    for name in SAVED:
        write_whole(path / name, "abc")
    run.finish(record())
    return run


def test_s9_run_json_holds_the_hash_of_each_file_that_answers_depend_on(tmp_path: Path) -> None:
    run = saved(tmp_path / "r")
    (run.tokenizer / ".DS_Store").write_text("of a file manager")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
    assert run.read_verified() == record(files=dict.fromkeys(SAVED, abc))


@pytest.mark.parametrize("name", SAVED)
def test_s9_a_changed_or_missing_file_is_refused_and_named(tmp_path: Path, name: str) -> None:
    run = saved(tmp_path / "r")
    (run.path / name).write_text("abd")
    hint = "; hint: restore it from a copy, or train again: nlpkit train .*config.yaml --overwrite$"
    with pytest.raises(RunError, match=f"{name}: has changed since training{hint}"):
        run.read_verified()
    (run.path / name).unlink()
    with pytest.raises(RunError, match=f"{name}: is missing{hint}"):
        run.read_verified()


def test_s9_a_file_that_transformers_would_read_too_is_refused(tmp_path: Path) -> None:
    run = saved(tmp_path / "r")
    (run.tokenizer / "chat_template.jinja").write_text("{{ 1 }}")
    with pytest.raises(RunError, match=r"chat_template.jinja: was added after training; hint: move it out"):
        run.read_verified()


def test_s9_a_run_of_an_earlier_version_holds_no_hashes_and_is_read(tmp_path: Path) -> None:
    run = saved(tmp_path / "r")
    old = json.loads(run.marker.read_text())
    del old["files"]
    write_whole(run.marker, json.dumps(old))
    (run.tokenizer / "tokenizer.json").write_text("abd")
    assert run.read_verified() == record()


def test_s9_a_run_without_the_hash_of_its_config_is_read(tmp_path: Path) -> None:
    run = saved(tmp_path / "r")
    old = json.loads(run.marker.read_text())
    del old["files"]["config.yaml"]
    write_whole(run.marker, json.dumps(old))
    run.config.write_text("abd")
    assert set(run.read_verified().files) == set(SAVED) - {"config.yaml"}
    run.config.unlink()
    run.read_verified()


@pytest.mark.parametrize(("field", "value"), [("max_tokens", -5), ("max_tokens", 0), ("outputs", 0)])
def test_s9_a_number_out_of_range_is_refused(tmp_path: Path, field: str, value: int) -> None:
    run = whole(tmp_path / "r")
    write_whole(run.marker, json.dumps({**json.loads(run.marker.read_text()), field: value}))
    with pytest.raises(RunError, match=rf"run\.json: damaged: {field}.*greater than or equal to 1; hint: "):
        run.read()


def test_a_finished_run_is_not_trained_over(tmp_path: Path) -> None:
    run = whole(tmp_path / "r")
    with pytest.raises(ConfigError, match="a finished run is there; hint: another name, or --overwrite"):
        Run.create(run.path, config="x")
    run.remove()
    assert not run.path.exists()


def test_a_run_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written here"):
        Run.create(tmp_path / "file" / "r", config="x")


def test_one_seed_of_several_is_named_with_its_parent() -> None:
    assert Run(Path("runs/sst2/seed-3")).name == "sst2/seed-3"
    assert Run(Path("runs/sst2")).name == "sst2"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    write_whole(path, "old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


def test_hashes_depend_on_content_and_order(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("abc")
    (tmp_path / "b").write_text("")
    assert (
        sha256_of([tmp_path / "a"]) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )  # of "abc", FIPS 180-2
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1}) != fingerprint({"a": 1, "b": 3})


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("unexpected pos 7808 vs 7766")]
)
def test_a_full_disk_is_said_with_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from collections import namedtuple

    from nlpkit.errors import NlpkitError
    from nlpkit.files import room_left

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(100, 100, 4096))
    with (
        pytest.raises(
            NlpkitError, match=r"no space left on the disk, 4,096 bytes free; hint: free some"
        ) as caught,
        room_left(tmp_path),
    ):
        raise error
    assert caught.value.exit_code == 1


def test_other_failures_are_not_put_down_to_the_disk(tmp_path: Path) -> None:
    from nlpkit.files import room_left

    with pytest.raises(RuntimeError, match="shapes"), room_left(tmp_path):
        raise RuntimeError("shapes")
