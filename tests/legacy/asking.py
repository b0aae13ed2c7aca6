"""What the fixtures are asked: by the code that wrote them, and by every later one that reads them."""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import json
import platform
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import nlpkit
from nlpkit import (
    Chatbot,
    Classifier,
    Conversation,
    LanguageModel,
    Prediction,
    Sampling,
    Session,
    Store,
    Turn,
)

# ----------------------------------------------------------------------------------------------------------
# All that is taken from modules inside of nlpkit, and so may move. Where a module gets another name or place,
# adapt this part.


def recipe_config(path: Path) -> Any:
    """The config in a file, as its recipe reads it."""
    from nlpkit.config import load_config, read_config
    from nlpkit.training.recipes import load_recipe

    return load_config(path, load_recipe(read_config(path)[0]["recipe"]).Config)


REPORT_FIELDS = ("run", "data", "created", "seed", "curve", "cost", "config", "versions")
"""What a report of any format holds under the same name."""


def measured(report: nlpkit.Report) -> dict[str, Any]:
    """What a report holds, in today's format."""
    tree = json.loads(report.to_json())
    return {
        **{field: tree[field] for field in REPORT_FIELDS},
        "scores": scores_of(tree),
        "details": scores_of(tree, "details"),
        "baselines": [[scores_of(row), scores_of(row, "details"), row["tests"]] for row in tree["baselines"]],
        "texts": [
            example["text"] or example["answers"][1]["text"]
            for section in tree["sections"]
            if section["kind"] == "texts"
            for example in section["examples"]
        ],
    }


def measured_before(text: str) -> dict[str, Any]:
    """The same of a report in format 1, from its JSON as it lies there."""
    tree = json.loads(text)
    rivals = tree["baselines"] if "baselines" in tree else [tree["rival"]] if tree["rival"] else []
    texts = (
        [row["reply"] for row in tree["exchanges"]]
        if tree["kind"] == "dialogue"
        else [row["text"] for row in tree["findings"]["worst"]]
    )
    return {
        **{field: tree[field] for field in REPORT_FIELDS},
        "scores": scores_of(tree),
        "details": _gains(tree.get("context")),
        "baselines": [[scores_of(row), _gains(row.get("context")), row["tests"]] for row in rivals],
        "texts": texts,
    }


def scores_of(tree: dict[str, Any], field: str = "scores") -> dict[str, Any]:
    """The scores of a report, without what came with format 2."""
    scores: dict[str, Any] = without_additions(tree[field])
    return scores


def without_additions(tree: Any) -> Any:
    """Scores, however deep, without what format 2 added: how one is drawn, and its name on the hub."""
    if isinstance(tree, list):
        return [without_additions(part) for part in tree]
    if not isinstance(tree, dict):
        return tree
    return {name: without_additions(part) for name, part in tree.items() if name not in ("scale", "hub_name")}


def _gains(context: dict[str, Any] | None) -> dict[str, Any]:
    gains = context["gains"] if context else []
    losses = {f"loss gain over {gain['history']}": gain["loss"] for gain in gains}
    return losses | {f"hits@1 gain over {gain['history']}": gain["hits"] for gain in gains}


def read_distillation(text: str) -> Any:
    """What a distilled run says of itself beside its teacher."""
    from nlpkit.evaluation.distillation import DistillationReport

    return DistillationReport.model_validate_json(text)


def comparison_of(run: nlpkit.Run) -> Any:
    """What a preference run says of itself beside the run before."""
    from nlpkit.evaluation.preferences import verdict_of

    return verdict_of(run)


def promoted(file: Path) -> nlpkit.Run:
    """The run that a `promoted.json` names."""
    from nlpkit.generation.promoted import promoted_run

    return promoted_run(file)


RENAMED = {"cure": "hint", "bot": "chat_model", "mood": "sentiment", "room": "token_budget"}
"""Names of fields in Python that were changed on purpose since: old name -> name of today."""

REWORDED = frozenset({"meaning", "title", "cure", "message", "markdown"})
"""Fields whose text was put into other words since."""

# ----------------------------------------------------------------------------------------------------------

TEXTS = (
    "a good film",
    "the food was awful",
    "not bad at all",
    "this story is very sad but the place was lovely",
    "lovely lovely lovely",
    "film",
    "",
    " ",
    "NaN",
    "[CLS] [SEP] [MASK]",
    "שלום 你好 👩‍👩‍👧‍👦",
    "Zwölf Boxkämpfer, quick!",
    "the film was fine and " * 60 + "bad",
)
"""What classifiers are asked: plain texts, nothing, odd signs, and one that is read in several windows."""

TALKS = (
    ("think of tea",),
    ("think of rain", "rain it is", "no, of moon"),
    ("think of bird", "bird it is", "no, of lamp", "then lamp", "which?"),
    ("<|im_end|> said nobody, أين 🔑",),
)
REPLIES = ("tea it is", "lamp, not bird", "then moon", "", "x" * 30)
DRAWN = (
    Sampling(temperature=0.0, repetition_penalty=1.1, max_new_tokens=24),
    Sampling(temperature=0.7, top_p=0.9, max_new_tokens=24, seed=7),
)
"""The likeliest tokens, and a draw."""

HELD = nlpkit.DataSource(source="data/held.csv")
RATED = nlpkit.DataSource(source="data/rated.csv", label="mean", limit=60)
"""What two runs are measured on anew."""

LIBRARIES = ("torch", "transformers", "tokenizers", "numpy", "onnxruntime", "onnxruntime-genai", "openvino")


def machine() -> dict[str, str]:
    """What the last bits of an answer depend on: the processor, and the libraries that compute."""
    import torch

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )
    flags = next(
        (line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))), []
    )
    found = {name: importlib.metadata.version(name) for name in LIBRARIES if _installed(name)}
    hashed = hashlib.sha256(" ".join(sorted(flags)).encode()).hexdigest()[:16]
    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    return {"processor": f"{platform.machine()} {named}", "flags": hashed, "device": device, **found}


def _installed(name: str) -> bool:
    return any(True for _ in importlib.metadata.distributions(name=name))


def ask_classifier(classifier: Classifier, texts: Sequence[str] = TEXTS) -> dict[str, Any]:
    """Raw outputs and answers, and what the classifier is."""
    return plain(
        {
            "name": classifier.name,
            "columns": list(classifier.columns),
            "temperature": getattr(classifier.task, "temperature", 1.0),
            "logits": classifier.logits(texts).tolist(),
            "rows": [
                {**one.row(), "windows": one.windows, "partial": one.partial}
                for one in classifier.predict(texts)
            ],
        }
    )


def ask_language(language: LanguageModel) -> dict[str, Any]:
    """Replies, and the likelihoods of given ones."""
    return plain(
        {
            "name": language.name,
            "window": language.window,
            "likelihoods": [
                [asdict(one) for one in language.log_likelihoods(talk(*said), REPLIES)] for said in TALKS
            ],
            "greedy": [
                language.reply(talk(*said), seed=1, max_new_tokens=24, temperature=0.0) for said in TALKS
            ],
            "drawn": [language.reply(talk(*said), seed=1, max_new_tokens=24) for said in TALKS],
        }
    )


def ask_bot(bot: Chatbot) -> dict[str, Any]:
    """What a bot answers, how each answer ended, and what it saw of the conversation."""
    answers = []
    for said in TALKS:
        for sampling in DRAWN:
            answer = bot.stream(talk(*said), sampling=sampling)
            answers.append(
                {"text": "".join(answer), "finish": answer.finish, "context": asdict(answer.context)}
            )
    bot.close()
    return plain({"name": bot.name, "window": bot.window, "answers": answers})


def ask_store(store: Store, owners: Sequence[str], queries: Sequence[str]) -> dict[str, Any]:
    """All that a store holds, as its readers get it."""
    found: dict[str, Any] = {}
    for owner in owners:
        chats = [store.read(one.id, owner) for one in store.chats(owner)]
        found[owner] = {
            "chats": [asdict(one) for one in chats],
            "branches": [
                [asdict(one) for one in store.branches(chat.id, owner, said.id)]
                for chat in chats
                for said in chat.messages
            ],
            "found": {query: [one.id for one in store.chats(owner, query)] for query in queries},
            "preferences": asdict(store.preferences(owner)),
            "jsonl": store.export_all(owner),
            "markdown": [store.export_markdown(one.id, owner) for one in chats],
        }
    return plain(found)


def check_data() -> dict[str, Any]:
    """What a check of the fixtures' own data finds."""
    parts = {}
    for name in ("polarity", "held"):
        with Path("data", f"{name}.csv").open(encoding="utf-8", newline="") as file:
            parts[name] = [
                nlpkit.LabeledText(text=one["text"], label=one["label"]) for one in csv.DictReader(file)
            ]
    return plain(json.loads(nlpkit.check(parts, tokens=None, window=None).to_json()))


def say_further(session: Session, chat: str) -> dict[str, Any]:
    """What is answered where a kept conversation goes on, and what of it has no time and no id."""
    "".join(saying := session.say(chat, "", "I am sad, think of tea", DRAWN[1]))
    kept = session.store.read(chat, "")
    course = [None if one.sentiment is None else asdict(one.sentiment) for one in kept.messages]
    return plain(
        {"reply": saying.text, "finish": saying.finish, "moods": course, "context": asdict(saying.context)}
    )


class MadeUp:
    """A model that needs none: its answers are the same on every machine."""

    fingerprint = "made up"
    columns: ClassVar[dict[str, str]] = {"label": "string", "score": "float"}

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Even or odd, by a checksum."""
        sums = [zlib.crc32(text.encode()) for text in texts]
        return [Prediction(label=("even", "odd")[one % 2], score=one / 2**32) for one in sums]


def talk(*texts: str) -> Conversation:
    """A conversation in which both sides speak in turn, the user first."""
    return Conversation(
        turns=tuple(
            Turn(role=("user", "assistant")[place % 2], text=text) for place, text in enumerate(texts)
        )
    )


def plain(value: Any) -> Any:
    """The value as JSON keeps it; a float keeps every bit."""
    return json.loads(json.dumps(value))


def differences(found: Any, expected: Any, near: float = 0.0, where: str = "") -> list[str]:
    """Where a value is not the one expected. Keys may have been added; a number may lie `near` away."""
    if isinstance(expected, dict) and isinstance(found, dict):
        today = {key: key if key in found else RENAMED.get(key, key) for key in expected}
        gone = [f"{where}.{key}: is gone" for key, name in today.items() if name not in found]
        return gone + [
            difference
            for key, name in today.items()
            if name in found and key not in REWORDED
            for difference in differences(found[name], expected[key], near, f"{where}.{key}")
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        return [
            one
            for place, (mine, theirs) in pairs
            for one in differences(mine, theirs, near, f"{where}[{place}]")
        ]
    if isinstance(expected, float) and isinstance(found, float) and near and abs(found - expected) <= near:
        return []
    return (
        []
        if found == expected and type(found) is type(expected)
        else [f"{where}: {found!r}, expected {expected!r}"]
    )
