"""Files of a run and its base with flipped, lost or doubled bytes: an answer or one clear error, at once."""

from __future__ import annotations

import json
import random
import resource
import shutil
import time
import warnings
from pathlib import Path

import pytest

from nlpkit.classifiers.loading import load_model
from nlpkit.errors import NlpkitError
from nlpkit.run import Run
from tests.reliability.record import Tally
from tests.tries import tries

FIXTURES = Path(__file__).parents[1] / "legacy" / "fixtures"
WEIGHTS = ("run/adapter/adapter_model.safetensors", "base/model.safetensors")
TREES = (
    "run/run.json", "run/adapter/adapter_config.json", "run/tokenizer/tokenizer.json",
    "run/tokenizer/tokenizer_config.json", "base/config.json",
)  # fmt: skip
SECONDS, MEGABYTES = 5, 500


@pytest.fixture
def unhashed(tmp_path: Path) -> Path:
    """A folder with a run and its base; the run's maker left out the hashes."""
    shutil.copytree(FIXTURES / "runs" / "polarity", tmp_path / "run")
    shutil.copytree(FIXTURES / "bases" / "bert", tmp_path / "base")
    marker = tmp_path / "run" / "run.json"
    tree = json.loads(marker.read_text())
    tree |= {"files": {}, "base": {**tree["base"], "source": str(tmp_path / "base")}}
    marker.write_text(json.dumps(tree))
    return tmp_path


def mutated(content: bytes, draw: random.Random) -> bytes:
    """Flip, drop or double some bytes, most of them near the start, where headers are."""
    broken = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(min(len(broken), draw.choice((16, 2000, len(broken)))))
        match draw.randrange(4):
            case 0 | 1:
                broken[place] = draw.randrange(256)
            case 2:
                del broken[place : place + draw.randint(1, 20)]
            case _:
                broken[place:place] = broken[place : place + draw.randint(1, 20)]
        broken = broken or bytearray(b"{")
    return bytes(broken[: draw.randrange(1, len(broken) + 1)] if draw.random() < 0.1 else broken)


@pytest.mark.parametrize(("names", "full"), [(WEIGHTS, 2000), (TREES, 500)], ids=["weights", "json"])
def test_a_damaged_file_ends_in_an_answer_or_in_one_clear_error(
    names: tuple[str, ...], full: int, unhashed: Path, tally: Tally
) -> None:
    draw, count = random.Random(9), tries(full, 12)
    load_model(Run.open(unhashed / "run"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lost = []
    for number in range(count):
        path = unhashed / names[number % len(names)]
        content = path.read_bytes()
        path.write_bytes(mutated(content, draw))
        begun = time.process_time()
        try:
            with warnings.catch_warnings(action="ignore"):
                load_model(Run.open(unhashed / "run"))
        except NlpkitError as error:
            if "\n" in str(error):
                lost.append((number, path.name, str(error)))
        except Exception as error:
            lost.append((number, path.name, repr(error)[:300]))
        if time.process_time() - begun > SECONDS:
            lost.append((number, path.name, "too slow"))
        path.write_bytes(content)
    assert lost == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + MEGABYTES * 1000
    tally(count, "damaged files")
