from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from nlpkit.errors import ConfigError, DataError
from nlpkit.scoring.file_sample import DistinctCount, FileSample, sample_files
from nlpkit.scoring.measured import Estimate, Measured, cost_of, job_seconds, ratio_of
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.preview import preview
from nlpkit.scoring.score import plan_file
from nlpkit.scoring.spent import EnergyMeter, Spent
from nlpkit.tasks.encoding import Encoded


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Ten rows, of which four repeat a text and one is empty."""
    path = tmp_path / "rows.jsonl"
    texts = ["good", "bad", "good", "fine day", "good", "bad", "x" * 30, "good", "", "so so"]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


@pytest.fixture
def reader(make_engine: Any) -> Any:
    class Reader(make_engine):
        """Reads a character as a token, four at once; knows no x."""

        max_tokens = 4

        def encode(self, texts: list[str]) -> list[Encoded]:
            return [
                Encoded(
                    windows=[[0] * 4] * math.ceil(len(text) / 4),
                    tokens=len(text),
                    partial=False,
                    unknown=text.count("x"),
                )
                for text in texts
            ]

    return Reader()


def test_a_preview_counts_rows_equal_texts_and_tokens(rows: Path, reader: Any) -> None:
    looked = preview(rows, reader, loading_seconds=2.5, price_per_million=0.5)
    assert (looked.rows, looked.rows_are, looked.rejected, looked.read) == (9, "exact", 1, 10)
    assert (looked.computed, looked.sampled) == (5, 5)
    assert looked.equal_share == pytest.approx(4 / 9)
    characters = 4 * 4 + 2 * 3 + 8 + 30 + 5
    assert looked.tokens == Estimate(value=characters, low=characters, high=characters)
    assert looked.unknown_share == pytest.approx(30 / 50)
    assert looked.longer_share == pytest.approx(3 / 5)
    assert looked.dollars == pytest.approx(characters * 0.5 / 1e6)
    assert looked.loading_seconds == 2.5
    assert looked.seconds.low <= looked.seconds.value <= looked.seconds.high
    json.dumps(looked.as_dict(), allow_nan=False)


def test_a_model_that_does_not_tell_how_it_reads_has_no_tokens_and_no_price(rows: Path, engine: Any) -> None:
    looked = preview(rows, engine, loading_seconds=0, price_per_million=0.5)
    assert (looked.tokens, looked.unknown_share, looked.dollars) == (None, None, None)


def test_a_preview_computes_only_the_rows_that_it_draws(tmp_path: Path, engine: Any) -> None:
    path = tmp_path / "many.csv"
    path.write_text("text\n" + "".join(f"row {number}\n" for number in range(5000)))
    looked = preview(path, engine, loading_seconds=0)
    assert looked.rows == 5000
    assert sum(map(len, engine.asked)) <= looked.sampled + 64 <= 2048 + 64
    assert not [name for name in tmp_path.iterdir() if name != path]


def test_a_folder_is_the_sum_of_its_files(tmp_path: Path, engine: Any) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.csv").write_text("text\n" + "".join(f"{name} {row}\n" for row in range(3)))
    assert preview(folder, engine, loading_seconds=0).rows == 6


@pytest.mark.parametrize("price", [math.nan, math.inf, -1.0])
def test_a_price_that_is_no_number_is_refused(rows: Path, engine: Any, price: float) -> None:
    with pytest.raises(ConfigError, match="expected a number such as"):
        preview(rows, engine, loading_seconds=0, price_per_million=price)


def test_what_can_be_read_only_once_or_not_at_all_is_refused(tmp_path: Path, engine: Any) -> None:
    with pytest.raises(ConfigError, match="only once"):
        preview("-", engine, loading_seconds=0)
    empty = tmp_path / "empty.csv"
    empty.write_text("text\n \n\t\n")
    with pytest.raises(DataError, match="none of 2 rows"):
        preview(empty, engine, loading_seconds=0)


def test_of_a_large_file_the_rest_is_estimated(tmp_path: Path, engine: Any) -> None:
    path = tmp_path / "many.csv"
    path.write_text("text\n" + "".join(f"row {number:04}\n" for number in range(1000)))
    plan = plan_file(path, "-", ScoreOptions(chunk_rows=100)).job(engine).plan
    sample = sample_files([plan], most=50, seed=1, read_rows=250)
    assert (sample.rows, len(sample.drawn), sample.is_complete) == (300, 50, False)
    assert sample.rows / sample.share_read == pytest.approx(1000, rel=0.01)
    assert {each.given for each in sample_files([plan], most=50, seed=1).drawn} != {
        f"row {number:04}" for number in range(50)
    }


def test_distinct_texts_are_counted_in_bounded_memory() -> None:
    exact, estimated = DistinctCount(), DistinctCount(most=500)
    for number in range(4000):
        for count in (exact, estimated):
            count.add(f"text {number % 2000}")
    assert exact.count == 2000
    assert estimated.count == pytest.approx(2000, rel=0.2)


def test_a_ratio_has_the_error_of_its_parts() -> None:
    assert ratio_of([2, 4], [1, 2]) == (2, 0)
    assert ratio_of([1, 3], [1, 1]) == (2, pytest.approx(1))
    assert ratio_of([3], [1]) == (3, 0)


def test_the_seconds_of_a_job_are_computing_writing_reading_and_tuning() -> None:
    sample = FileSample(
        rows=100, rejected=0, computed=80, characters=1000, computed_characters=800, distinct=80,
        spent=Spent(1, 0.5), share_read=0.5, drawn=(),
    )  # fmt: skip
    measured = Measured(
        drawn=(), costs=(10, 10, 10, 10), whole_cost=20, whole_characters=40,
        computing=(Spent(1, 2),) * 4, writing=Spent(0.01, 0.01),
        partly_read=0, joules=None,
    )  # fmt: skip
    seconds, cpu = job_seconds(sample, measured, Spent(3, 3), 2.0)
    # 800 characters of half of the rows, two of them a token
    assert seconds.value == pytest.approx(800 * 0.1 + 3 + 2 * (1 + 100 * 0.01))
    assert seconds.low == seconds.value == seconds.high
    assert cpu == pytest.approx(800 * 0.2 + 3 + 2 * (0.5 + 100 * 0.01))


def test_a_cost_is_of_tokens_with_their_padding(reader: Any, engine: Any) -> None:
    texts = ["a" * 4, "b" * 8, "c"]
    assert cost_of(engine, texts) == 13
    reader.budget = 64  # four windows of 4 ids fit one batch
    reader.tune = lambda texts: 64
    assert cost_of(reader, texts) == 16


def test_energy_is_the_sum_of_the_packages_also_where_a_counter_begins_again(tmp_path: Path) -> None:
    def write(package: int, energy: int) -> None:
        folder = tmp_path / f"intel-rapl:{package}"
        (folder / "intel-rapl:0:0").mkdir(parents=True, exist_ok=True)
        (folder / "energy_uj").write_text(str(energy))
        (folder / "max_energy_range_uj").write_text("10000000")

    write(0, 1_000_000)
    write(1, 9_000_000)
    meter = EnergyMeter(tmp_path)
    write(0, 3_000_000)
    write(1, 1_000_000)
    assert meter.joules() == pytest.approx(2 + 2)
    assert EnergyMeter(tmp_path / "missing").joules() is None
