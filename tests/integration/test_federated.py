"""Two sites train one adapter together, from the files to the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError, DataError
from nlpkit.federated.rounds import recorded_rounds
from nlpkit.federated.site import Site
from nlpkit.run import Run
from tests.conftest import sentences, train_toy, write_csv

pytestmark = pytest.mark.integration

CONFIG = """
recipe: federated
name: together
task: {{kind: polarity, labels: [negative, positive]}}
sites:
  clinic: {{train: {folder}/clinic.csv, validation: 0.3, near_duplicates: 1.0}}
  lab: {{train: {folder}/lab.csv, validation: 0.3, near_duplicates: 1.0}}
base: {{source: {base}, dropout: 0.0}}
lora: {{rank: 4, alpha: 16}}
federation: {{rounds: 2, engine: here, proximal: 0.01}}
training: {{max_steps: 4, batch_size: 16, lr: 0.01}}
output: {folder}/runs
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    folder = tmp_path_factory.mktemp("federated")
    rows = sentences(150, seed=4)
    write_csv(folder / "clinic.csv", rows[:100])
    write_csv(folder / "lab.csv", rows[100:])
    path = folder / "together.yaml"
    path.write_text(CONFIG.format(folder=folder, base=tiny_base), encoding="utf-8")
    return path


def test_two_sites_train_one_run(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    trained, killed = Site.train, []

    def train_until_killed(self: Site, number: int, sent: bytes) -> bytes:
        if number == 2 and not killed:
            killed.append(number)
            raise KeyboardInterrupt
        return trained(self, number, sent)

    monkeypatch.setattr(Site, "train", train_until_killed)
    with pytest.raises(KeyboardInterrupt):
        train_toy(config)
    (run,) = train_toy(config, said=said)
    assert "resuming after round 1 of 2" in said
    record = Run.open(run).read()
    rounds = recorded_rounds(record.data)
    assert [site.rows for site in rounds[0].sites] == [70, 35]
    # Adapter and head of the tiny base as float32, with the header of safetensors
    sent = (run / "adapter" / "adapter_model.safetensors").stat().st_size
    assert rounds[1].sites[0].sent == rounds[1].sites[1].received == pytest.approx(sent, rel=0.02)
    assert record.data["rows"]["train"] == 105
    prediction = Classifier.load(run).predict("a good film")[0]
    assert prediction.label in ("negative", "positive")
    assert {path.name for path in run.parent.iterdir() if path.is_dir()} == {
        "together", "together-central", "together-clinic", "together-lab",
    }  # fmt: skip
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "at each site: central, alone and federated" in page
    assert "Scores of each group" in page
    assert not list(run.parent.rglob("*.pt")) + list(run.parent.rglob("*.bin"))
    assert not (run / "checkpoints").exists()


def test_bad_sites_are_refused_before_training(config: Path, tmp_path: Path) -> None:
    folder = config.parent
    (folder / "empty.csv").write_text("text,label\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"sites\.lab: .*empty\.csv"):
        train_toy(config, "name=bad", f"sites.lab.train={folder}/empty.csv", check=True)
    write_csv(folder / "other.csv", [(f"{text} fine", "angry") for text, _ in sentences(20, seed=9)])
    with pytest.raises(DataError, match=r"sites\.lab: .*angry"):
        train_toy(config, "name=bad", f"sites.lab.train={folder}/other.csv", check=True)
    with pytest.raises(ConfigError, match=r"federation\.min_sites: 3; there are 2 sites"):
        train_toy(config, "federation.min_sites=3", check=True)
    with pytest.raises(ConfigError, match=r"lora\.init"):
        train_toy(config, "lora.init=pissa", check=True)
