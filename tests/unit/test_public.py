"""The public names of `nlpkit`: which there are, that each exists, and that the import is fast."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import nlpkit

PUBLIC = [
    "Chatbot",
    "CheckReport",
    "Classifier",
    "ConfigError",
    "Conversation",
    "ConversationSource",
    "DataError",
    "DataSource",
    "Explanation",
    "LabeledText",
    "LanguageModel",
    "NlpkitError",
    "Prediction",
    "Readings",
    "Record",
    "RemoteBot",
    "ReplyExplanation",
    "Report",
    "Run",
    "RunError",
    "Sampling",
    "Score",
    "SentimentClassifier",
    "Session",
    "SourceError",
    "Store",
    "Turn",
    "__version__",
    "analyze",
    "audit",
    "check",
    "cross_validate",
    "evaluate",
    "explain",
    "export",
    "file_shares",
    "hyperparameter_search",
    "label_learn",
    "label_next",
    "label_shares",
    "learning_curve",
    "predict",
    "read_records",
    "resolve",
    "score_file",
    "train",
    "train_seeds",
    "watch",
    "zero_shot",
]
"""A name that leaves this list breaks somebody's program: that takes a line in CHANGELOG.md."""


def test_the_public_names_are_these() -> None:
    assert nlpkit.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_there_and_documented(name: str) -> None:
    found = getattr(nlpkit, name)
    assert name in dir(nlpkit)
    if name != "__version__":
        assert found.__name__ == name
        assert found.__module__.startswith("nlpkit.")
        assert found.__doc__


def test_what_type_checkers_see_is_what_python_finds() -> None:
    tree = ast.parse(Path(str(nlpkit.__file__)).read_text(encoding="utf-8"))
    block = next(
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        name.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert set(seen) == set(nlpkit.__all__) - {"__version__"}
    for name, module in seen.items():
        assert getattr(importlib.import_module(str(module)), name) is getattr(nlpkit, name)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'nlpkit' has no attribute 'Clasifier'"):
        nlpkit.Clasifier  # noqa: B018


def test_every_error_of_the_library_is_public() -> None:
    errors = {name for name in nlpkit.__all__ if name.endswith("Error")}
    module = importlib.import_module("nlpkit.errors")
    defined = {
        name for name, one in vars(module).items() if isinstance(one, type) and issubclass(one, Exception)
    }
    assert errors == defined
    assert {getattr(nlpkit, name).exit_code for name in errors} == {1, 2, 3, 4}
