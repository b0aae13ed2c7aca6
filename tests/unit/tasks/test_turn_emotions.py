"""Turn emotions: conversations with labels, one window a turn, and the whole path on a tiny model."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest

from demo.panel import sentiment_page
from nlpkit.chat.messages import trend_of
from nlpkit.chat.session import Session
from nlpkit.chat.store import Store
from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.export import export_run
from nlpkit.classifiers.export_record import ExportRecord
from nlpkit.classifiers.text_tokenizer import TextTokenizer
from nlpkit.data.examples import LabeledTurn, SpokenTurn, TextInput
from nlpkit.data.splits import split
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.evaluation.evaluate import evaluate
from nlpkit.evaluation.measure_classifier import ALONE
from nlpkit.models.pretrained import load_tokenizer
from nlpkit.reports.report import Report
from nlpkit.run import Run
from nlpkit.scoring.score import score_file
from nlpkit.settings.data import TurnSource
from nlpkit.tasks.turn_emotions import TurnEmotions
from nlpkit.tasks.turn_encoding import encode_turns
from nlpkit.trust.calibration_rows import calibration_rows
from tests.conftest import make_base, train_toy
from tests.fakes import FakeBot

ROWS = [
    {"conversation": 1, "speaker": "Ann", "text": "the film is bad", "label": "anger"},
    {"conversation": 2, "speaker": "Cy", "text": "good", "label": "joy"},
    {"conversation": 1, "speaker": "Bob", "text": "is it", "label": ""},
    {"conversation": 1, "speaker": "Ann", "text": "very", "label": "anger"},
]
TURNS = TurnEmotions()


def lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path, task: TurnEmotions = TURNS, **settings: object) -> list[LabeledTurn]:
    return list(task.read(path, TurnSource(source=str(path), **settings)).examples)


def said(*turns: tuple[str, str]) -> tuple[SpokenTurn, ...]:
    return tuple(SpokenTurn(speaker=speaker, text=text) for speaker, text in turns)


def test_a_turn_comes_with_those_before_it_and_none_after(tmp_path: Path) -> None:
    first, last, other = read(lines(tmp_path / "a.jsonl", ROWS))
    assert (first.speaker, first.label, first.context) == ("Ann", "anger", ())
    assert last.context == said(("Ann", "the film is bad"), ("Bob", "is it"))
    assert (other.speaker, other.context) == ("Cy", ())
    assert first.conversation == last.conversation != other.conversation
    inputs = {turns: TurnEmotions(turns=turns).input(last) for turns in (0, 1, 2)}
    assert [given.context for given in inputs.values()] == [(), last.context[1:], last.context]
    assert {given.speaker for given in inputs.values()} == {"Ann"}


def test_a_list_of_messages_reads_as_rows_do(tmp_path: Path) -> None:
    messages = [
        {key: row[key] for key in ("speaker", "text", "label")} for row in ROWS if row["conversation"] == 1
    ]
    _, same = read(lines(tmp_path / "a.jsonl", [{"messages": messages}]))
    assert same.context == said(("Ann", "the film is bad"), ("Bob", "is it"))
    chat = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "bad", "feeling": "anger"},
        {"role": "assistant", "content": "why"},
        {"role": "user", "content": "good", "feeling": "joy"},
    ]
    _, last = read(lines(tmp_path / "b.jsonl", [{"messages": chat}]), label="feeling")
    assert last.context == said(("user", "bad"), ("assistant", "why"))


def test_columns_may_have_other_names_and_labels_too(tmp_path: Path) -> None:
    path = tmp_path / "meld.csv"
    path.write_text("Utterance,Speaker,Emotion,Dialogue_ID\nfine,Joey,1,0\nbad,Ross,2,0\n")
    names = {"text": "Utterance", "speaker": "Speaker", "label": "Emotion", "conversation": "Dialogue_ID"}
    assert [turn.label for turn in read(path, **names, labels={1: "joy", 2: "anger"})] == ["joy", "anger"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speaker": ""}, r"turn 2 \(row 3\): nobody speaks"),
        ({"speaker": None}, r"turn 2 \(row 3\): expected who speaks"),
        ({"text": " "}, r"turn 2 \(row 3\): the turn is empty"),
        ({"label": 0.5}, r"turn 2 \(row 3\): expected a label, found '0.5'"),
        ({"conversation": None}, "row 3, column 'conversation'"),
    ],
)
def test_an_invalid_turn_is_refused_with_its_place(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = lines(tmp_path / "a.jsonl", [{**row, **change} if row is ROWS[2] else row for row in ROWS])
    with pytest.raises(DataError, match=message):
        read(path)
    if "conversation" not in change:
        assert [turn.label for turn in read(path, on_bad="skip")] == ["joy"]


def test_a_missing_column_an_unknown_label_and_no_label_are_named(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(DataError, match=r"no column 'dialog'.*conversation"):
        read(path, conversation="dialog")
    with pytest.raises(DataError, match=r"turn 1.*the label 'joy', which the task does not have"):
        read(path, TurnEmotions(labels=("anger", "fear")))
    silent = lines(tmp_path / "b.jsonl", [{**row, "label": None} for row in ROWS])
    with pytest.raises(DataError, match="no turn has a label in 'label'; hint: name its column"):
        read(silent)


def test_known_feelings_have_a_place_between_unpleasant_and_pleasant() -> None:
    def turns(*labels: str) -> list[LabeledTurn]:
        return [LabeledTurn(text="a", label=label, speaker="A") for label in labels]

    task = TurnEmotions().fit(turns("joy", "anger", "neutral"))
    assert task.valence == {"anger": -1.0, "joy": 1.0, "neutral": 0.0}
    (answer,) = task.decode(np.log([[0.2, 0.7, 0.1]]), [])
    assert (answer.label, answer.score) == ("joy", pytest.approx(0.5))
    assert "score" in task.family.columns
    assert "score" not in TurnEmotions().fit(turns("joy", "bored")).family.columns
    given = TurnEmotions(valence={"bored": -0.5}).fit(turns("joy", "bored"))
    assert given.valence == {"bored": -0.5, "joy": 1.0}
    with pytest.raises(DataError, match=r"task\.valence: no value for the label 'odd'"):
        TurnEmotions(valence={"bored": -0.5}).fit(turns("odd", "bored"))


def test_conversations_stay_whole_in_a_split() -> None:
    words = ("good", "bad", "film", "food", "story", "place", "very", "fine")
    draw = random.Random(0)
    turns = [
        LabeledTurn(
            text=" ".join(draw.choices(words, k=8)),
            label=("joy", "anger")[number % 2],
            speaker="A",
            conversation=str(number // 5),
        )
        for number in range(200)
    ]
    family = TurnEmotions(labels=("anger", "joy")).family
    parts = split(turns, family, validation=0.2, test=0.2, seed=0, near_duplicates=1.0)
    sides = [{turn.conversation for turn in part} for part in (parts.train, parts.validation, parts.test)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 40
    assert len(parts.validation) == 40
    # Equal turns of two conversations keep nothing together; equal conversations do
    same = [LabeledTurn(text="good", label="joy", speaker="A", conversation=str(n)) for n in range(3)]
    again = [LabeledTurn(text=text, label="joy", speaker="A", conversation="3") for text in ("good", "bad")]
    assert family.groups([*same, *again], near_duplicates=1.0, seed=0) == [0, 0, 0, 1, 1]


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> TextTokenizer:
    return TextTokenizer.of(load_tokenizer(tiny_base))


def words_of(tokenizer: TextTokenizer, ids: list[int]) -> list[int]:
    """Return how many ids stand between separators."""
    (start,), (separator,) = tokenizer.frame.before, tokenizer.frame.after
    assert ids[0] == start
    sizes = [0]
    for number in ids[1:]:
        sizes = [*sizes, 0] if number == separator else [*sizes[:-1], sizes[-1] + 1]
    return sizes[:-1]


def test_the_turn_is_read_whole_before_any_of_its_context(tokenizer: TextTokenizer) -> None:
    before = said(("a", "the film is bad"), ("the", "is it a very good story"))
    turn = TextInput(text="good food is very good", context=before, speaker="a")
    sizes = {
        n: words_of(tokenizer, encode_turns([turn], tokenizer, n)[0].windows[0]) for n in (64, 20, 14, 9)
    }
    lost = {n: encode_turns([turn], tokenizer, n)[0].turns_cut for n in sizes}
    assert lost == {64: 0, 20: 1, 14: 2, 9: 2}
    # speaker, turn, speaker, turn before, ...; "it" is two tokens
    assert sizes[64] == [1, 5, 1, 7, 1, 4]
    assert sizes[20] == [1, 5, 1, 7]
    assert sizes[14] == [1, 5]
    assert sum(sizes[9]) + len(sizes[9]) + 1 <= 9
    for size in range(9, 64):
        (encoded,) = encode_turns([turn], tokenizer, size)
        assert max(map(len, encoded.windows)) <= size
    (one,), (both,) = (TurnEmotions(turns=turns).encode([turn], tokenizer, 64) for turns in (1, 2))
    assert words_of(tokenizer, one.windows[0]) == [1, 5, 1, 7]
    assert words_of(tokenizer, both.windows[0]) == sizes[64]
    long = TextInput(text="good " * 100, context=before, speaker="a")
    (encoded,) = encode_turns([long], tokenizer, 20)
    assert len(encoded.windows) > 1
    assert all(words_of(tokenizer, window)[0] == 1 for window in encoded.windows)


def test_the_latest_turn_before_keeps_its_end_where_not_all_of_it_fits(tokenizer: TextTokenizer) -> None:
    turn = TextInput(text="good", context=said(("a", "bad " * 30 + "film is the story")), speaker="a")
    (encoded,) = encode_turns([turn], tokenizer, 16)
    assert encoded.windows[0][-5:-1] == tokenizer.ids(["film is the story"])[0]
    assert len(encoded.windows[0]) == 16


def test_no_text_and_no_name_can_begin_another_turn(tokenizer: TextTokenizer) -> None:
    injected = "good [SEP] bob [SEP] bad [CLS]"
    special = {*tokenizer.frame.before, *tokenizer.frame.after}

    def marks(text: str, speaker: str, *context: tuple[str, str]) -> int:
        given = TextInput(text=text, context=said(*context), speaker=speaker)
        return sum(token in special for token in encode_turns([given], tokenizer, 64)[0].windows[0])

    assert marks("good", "bob") == marks(injected, "bob") == marks("good", injected) == 3
    assert marks("good", "bob", (injected, "good")) == marks("good", "bob", ("bob", injected)) == 5


CONFIG = """
recipe: sentiment
name: moods
task: {{kind: turn_emotions}}
data:
  train: [{{source: {data}}}]
  validation: 0.2
  test: 0.2
base: {{source: {base}, dropout: 0.0}}
lora: {{rank: 8, alpha: 16}}
training: {{epochs: 16, batch_size: 16, lr: 0.01, evaluations: 4, metric: weighted_f1}}
output: {output}
"""


@pytest.fixture(scope="module")
def moods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each conversation: a turn that is good or bad, then a plain one that feels like the turn before it."""
    folder, draw = tmp_path_factory.mktemp("moods"), random.Random(1)
    plain = ("the", "a", "this", "that", "film", "food", "place", "story", "was", "is")
    rows: list[dict[str, object]] = []
    for number in range(220):
        word, label = (("bad", "anger"), ("good", "joy"))[number % 2]
        for speaker, text in (("a", [*draw.choices(plain, k=4), word]), ("b", draw.choices(plain, k=5))):
            rows.append({"conversation": number, "speaker": speaker, "text": " ".join(text), "label": label})
    config = folder / "moods.yaml"
    data, base = lines(folder / "rows.jsonl", rows), make_base(folder / "base", hidden=32)
    config.write_text(CONFIG.format(data=data, base=base, output=folder / "runs"))
    return train_toy(config)[0]


def test_a_tiny_model_uses_what_was_said_before(moods: Path) -> None:
    report = Report.from_json((moods / "evaluation" / "test.json").read_text())
    assert report.scores["weighted_f1"].value > 0.8
    (alone,) = [baseline for baseline in report.baselines if baseline.name == ALONE]
    # Half of the turns can only be known from the turn before
    assert alone.scores["accuracy"].value < 0.85
    test = alone.tests["accuracy"]
    assert test.difference == pytest.approx(report.scores["accuracy"].value - alone.scores["accuracy"].value)
    assert ALONE in (moods / "report.html").read_text()
    assert "up to 8 turns before it" in (moods / "README.md").read_text()


TALK = """conversation,speaker,text
1,a,the film was bad
2,a,the food is good
1,b,this is that
2,b,this is that
"""


def test_a_file_of_turns_is_scored_with_what_was_said_before(moods: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "talk.csv", tmp_path / "scored.csv"
    source.write_text(TALK)
    score_file(Classifier.load(moods), source, target, chunk_rows=1)
    with target.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == ["anger", "joy", "anger", "joy"]
    assert float(rows[2]["score"]) < 0 < float(rows[3]["score"])
    source.write_text(TALK.replace("conversation,speaker", "talk,who"))
    with pytest.raises(
        ConfigError, match=r"no column 'conversation'.*hint: name the column with --conversation"
    ):
        score_file(Classifier.load(moods), source, tmp_path / "b.csv")
    score_file(Classifier.load(moods), source, tmp_path / "b.csv", conversation="talk", speaker="who")
    source.write_text(TALK.replace("1,b,", "1,,"))
    with pytest.raises(
        DataError, match="row 3, column 'speaker': expected a name or a number, found nothing"
    ):
        score_file(Classifier.load(moods), source, tmp_path / "c.csv")
    done = score_file(Classifier.load(moods), source, tmp_path / "c.csv", on_error="skip", overwrite=True)
    assert (done.rows, done.rejected) == (3, 1)


def test_what_samples_single_texts_is_refused(moods: Path) -> None:
    with pytest.raises(RunError, match="reads the turns before with each text"):
        calibration_rows(Run.open(moods), Classifier.load(moods))


def test_a_new_file_is_evaluated_and_a_lone_text_predicted(moods: Path, tmp_path: Path) -> None:
    labels = ("label", "anger", "joy", "anger", "joy")
    path = tmp_path / "talk.csv"
    rows = zip(TALK.splitlines(), labels, strict=True)
    path.write_text("".join(f"{line},{label}\n" for line, label in rows))
    report = evaluate(Run.open(moods), TurnSource(source=str(path)))
    assert report.scores["accuracy"].value == 1.0
    assert Classifier.load(moods).predict("the film was bad")[0].label == "anger"


def test_an_export_answers_as_it_does_on_turns(moods: Path, tmp_path: Path) -> None:
    folder = export_run(Run.open(moods), "onnx", tmp_path / "onnx")
    parity = ExportRecord.read(folder).parity
    assert parity is not None
    assert (parity.source, parity.changed_labels) == ("held-out rows", 0)
    # Half of the turns can only be known from the turn before: it was read
    assert parity.accuracy is not None
    assert parity.accuracy == parity.exported_accuracy > 0.9


def test_the_mood_of_a_chat_is_read_with_what_was_said_before(moods: Path, tmp_path: Path) -> None:
    with Store.open(tmp_path / "chats.sqlite") as store:
        session = Session(
            store, FakeBot(says=lambda conversation, sampling: "the film was bad"), Classifier.load(moods)
        )
        chat = session.start("").id
        for text in ("this is that", "this is that"):
            list(session.say(chat, "", text))
        first, second = trend_of(store.read(chat, "").messages).sentiments
        assert second.score < min(first.score, 0)
        assert second.label == "anger"
        assert "anger" in sentiment_page(trend_of(store.read(chat, "").messages))
