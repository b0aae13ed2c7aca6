"""What must hold for whatever comes: rows, prompts, shards, intervals and configs drawn at random.

Kills and control tokens have tests of their own: tests/unit/scoring/test_journal.py, and
tests/unit/prompts/test_special_tokens.py.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.config import load_config, to_yaml
from nlpkit.data.records import read_records
from nlpkit.errors import DataError
from nlpkit.metrics.intervals import bootstrap, gain, paired
from nlpkit.metrics.label_sets import LABEL_SET_METRICS
from nlpkit.metrics.labels import LABEL_METRICS
from nlpkit.metrics.outcomes import LabelOutcomes, LabelSetOutcomes, ValueOutcomes
from nlpkit.metrics.values import VALUE_METRICS
from nlpkit.prompts.build import build_prompt, encode_conversation, encode_text
from nlpkit.scoring.score import score_file
from nlpkit.training.recipes import load_recipe
from tests.chat_templates import FAMILIES, conversation
from tests.fakes import FakeClassifier

CONFIGS = Path(__file__).parents[2] / "recipes" / "configs"
ENDINGS = st.sampled_from([".csv", ".tsv.gz", ".jsonl", ".parquet"])
TEXTS = st.lists(st.sampled_from(["good", "bad", " ", "", "NA", "=1", "so\nso", "é😀"]) | st.text(max_size=9))


class Predictor(FakeClassifier):
    """A classifier of words as scoring takes it."""

    fingerprint, columns = "words", {"label": "string", "score": "float"}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [dict(record.fields) for record in read_records(path)]


def write(path: Path, texts: list[str], *, first: int = 0) -> Path:
    rows = ({"number": number, "text": text} for number, text in enumerate(texts, start=first))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def score(folder: Path, source: Path, ending: str, chunk: int) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the rows that were scored, and the numbers of those that were rejected."""
    target = folder / f"out{ending}"
    score_file(Predictor(), source, target, chunk_rows=chunk, on_error="skip", overwrite=True, raw_csv=True)
    rejects = folder / f"out{ending}.rejects.jsonl"
    lines = rejects.read_text(encoding="utf-8").splitlines() if rejects.exists() else []
    return rows_of(target), [json.loads(json.loads(line)["raw"])["number"] for line in lines]


@settings(max_examples=25, deadline=None)
@given(texts=TEXTS.filter(len), ending=ENDINGS, chunks=st.lists(st.integers(1, 9), min_size=2, max_size=2))
def test_rows_in_are_rows_out_in_order(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], ending: str, chunks: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    source = write(folder / "in.jsonl", ["good", *texts])
    scored, rejected = score(folder, source, ending, chunks[0])
    numbers = [int(row["number"]) for row in scored]
    assert numbers == sorted(numbers)
    assert sorted([*numbers, *rejected]) == list(range(len(texts) + 1))
    assert [row["text"] for row in scored] == [["good", *texts][number] for number in numbers]
    assert score(folder, source, ending, chunks[1]) == (scored, rejected)


@settings(max_examples=15, deadline=None)
@given(texts=TEXTS, cuts=st.lists(st.integers(0, 20), max_size=3))
def test_any_sharding_gives_the_same_scores(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], cuts: list[int]
) -> None:
    folder, texts = tmp_path_factory.mktemp("shards"), ["good", *texts]
    whole = score(folder, write(folder / "in.jsonl", texts), ".jsonl", 4)
    ends = sorted({0, len(texts), *(cut % len(texts) for cut in cuts)})
    shards = []
    for start, end in itertools.pairwise(ends):
        # A shard holds a row that can be scored: an output without any has no columns
        source = write(folder / f"{start}.jsonl", texts[start:end], first=start)
        with source.open("a", encoding="utf-8") as file:
            file.write('{"number": -1, "text": "good"}\n')
        shards.append(score(folder, source, ".jsonl", 3))
    rows = [row for shard in shards for row in shard[0] if row["number"] >= 0]
    assert (rows, [number for shard in shards for number in shard[1]]) == whole


FRAGMENTS = st.sampled_from(["Hello", " ", "\n", "👍🏽", "<|im_end|>", "</s>", "<think>", "[/INST]", "user"])
SAID = (st.lists(FRAGMENTS, min_size=1, max_size=8).map("".join) | st.text(min_size=1, max_size=30)).filter(
    str.strip
)


def holds(ids: list[int], part: list[int]) -> bool:
    return any(ids[start : start + len(part)] == part for start in range(len(ids) - len(part) + 1))


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=12, deadline=None)
@given(texts=st.lists(SAID, min_size=1, max_size=7), system=st.just("") | SAID, budget=st.integers(1, 200))
def test_a_prompt_fits_its_window_and_holds_the_newest_turn_whole(
    name: str, texts: list[str], system: str, budget: int
) -> None:
    tokenizer = FAMILIES[name].tokenizer
    texts = texts if len(texts) % 2 else texts[1:]  # the user speaks last
    talk = conversation(*texts, system=system)
    try:
        prompt = build_prompt(talk, tokenizer, budget)
    except DataError:
        with pytest.raises(DataError):  # with all older turns gone it does not fit either
            build_prompt(conversation(texts[-1], system=system), tokenizer, budget)
    else:
        assert len(prompt.ids) <= budget
        for text in texts[prompt.dropped :]:
            assert holds(prompt.ids, encode_text(text, tokenizer))
    for row in encode_conversation(talk, tokenizer, budget):
        assert len(row.input_ids) <= budget


@st.composite
def outcomes(draw: st.DrawFn) -> tuple[Any, Any, tuple[Any, ...]]:
    """Draw the answers of two models to the same few rows, and the metrics of such answers."""
    rows, labels = draw(st.integers(1, 12)), draw(st.integers(2, 4))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    skill = draw(st.sampled_from([0.0, 1.0, 9.0]))
    kind = draw(st.sampled_from(["labels", "sets", "values"]))
    if kind == "values":
        truth = random.normal(size=rows).round(draw(st.integers(0, 2)))
        made = [ValueOutcomes(truth=truth, predicted=truth + random.normal(size=rows)) for _ in "ab"]
        return made[0], made[1], VALUE_METRICS
    names = tuple("abcd"[:labels])
    if kind == "labels":
        truth = random.integers(0, labels, rows)
        drawn = [np.exp(random.normal(size=(rows, labels)) + skill * np.eye(labels)[truth]) for _ in "ab"]
        chances = [each / each.sum(axis=1, keepdims=True) for each in drawn]
        made = [LabelOutcomes(labels=names, truth=truth, probabilities=each) for each in chances]
        return made[0], made[1], LABEL_METRICS
    true = random.random((rows, labels)) < 0.5
    chances = [random.random((rows, labels)) for _ in "ab"]
    made = [
        LabelSetOutcomes(labels=names, truth=true, probabilities=each, given=each > 0.5) for each in chances
    ]
    return made[0], made[1], LABEL_SET_METRICS


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=40, deadline=None)
@given(drawn=outcomes())
def test_every_interval_is_around_its_value(drawn: tuple[Any, Any, tuple[Any, ...]]) -> None:
    first, second, metrics = drawn
    scores = bootstrap(first, metrics, resamples=60, seed=1)
    shown = [(name, score.low, score.value, score.high) for name, score in scores.items()]
    for metric in metrics:
        test = paired(metric, first, second, resamples=60)
        shown.append((f"paired {metric.name}", test.low, test.difference, test.high))
        more = gain(metric, first, second, seed=1)
        shown.append((f"gain {metric.name}", more.low, more.value, more.high))
    outside = [row for row in shown if row[1] is not None and not row[1] <= row[2] <= row[3]]
    assert not outside
    assert all((low is None) == (high is None) for _, low, _, high in shown)


def recipe_of(path: Path) -> Any:
    line = next(line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("recipe:"))
    return load_recipe(line.partition(":")[2].split("#")[0].strip()).Config


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*.yaml")))
def test_a_shipped_config_that_is_printed_loads_again_as_the_same(name: str, tmp_path: Path) -> None:
    model = recipe_of(CONFIGS / name)
    config = load_config(CONFIGS / name, model)
    printed = tmp_path / name
    printed.write_text(to_yaml(config), encoding="utf-8")
    assert load_config(printed, model) == config


WORDS = st.sampled_from(["no", "null", "1e3", "0o7", "- x", "a: b", "#", "'", '"', "~", "*a", "{", "%"])
NAMES = (WORDS | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9)).filter(
    str.strip
)


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(NAMES, min_size=2, max_size=4, unique_by=lambda name: name.strip().casefold()),
    source=NAMES,
    lr=st.floats(1e-300, 1e3),
    share=st.floats(0.0, 0.4),
    seeds=st.lists(st.integers(0, 2**31), min_size=1, max_size=3, unique=True),
)
def test_any_config_that_is_printed_loads_again_as_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    labels: list[str],
    source: str,
    lr: float,
    share: float,
    seeds: list[int],
) -> None:
    model = load_recipe("sentiment").Config
    tree = {
        "recipe": "sentiment",
        "name": "mine",
        "task": {"kind": "polarity", "labels": labels},
        "data": {"train": [{"source": source}], "validation": share},
        "training": {"lr": lr},
        "seeds": seeds,
    }
    config = model.model_validate(tree)
    path = tmp_path_factory.mktemp("config") / "c.yaml"
    path.write_text(to_yaml(config), encoding="utf-8")
    assert load_config(path, model) == config
