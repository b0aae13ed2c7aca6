"""Sentiment and dialogue from your own data: fine-tune with LoRA, measure honestly, score files, anywhere.

The public names are those of `__all__`. Each is imported at its first use, so that `import nlpkit` is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nlpkit.analysis.analyze import analyze
    from nlpkit.chat.session import Session
    from nlpkit.chat.store import Store
    from nlpkit.classifiers.classifier import Classifier
    from nlpkit.classifiers.predict import predict
    from nlpkit.classifiers.readings import Readings
    from nlpkit.classifiers.zero_shot import zero_shot
    from nlpkit.data.check_report import CheckReport
    from nlpkit.data.examples import Conversation, LabeledText, Turn
    from nlpkit.data.records import Record, read_records
    from nlpkit.errors import ConfigError, DataError, NlpkitError, RunError, SourceError
    from nlpkit.evaluation.data_check import check
    from nlpkit.evaluation.export import export
    from nlpkit.evaluation.held_out import evaluate
    from nlpkit.generation.chatbot import Chatbot
    from nlpkit.generation.language_model import LanguageModel
    from nlpkit.generation.remote import RemoteBot
    from nlpkit.generation.sampling import Sampling
    from nlpkit.labeling.label_shares import label_shares
    from nlpkit.labeling.learn import label_learn
    from nlpkit.labeling.next_texts import label_next
    from nlpkit.metrics.score import Score
    from nlpkit.reports.report import Report
    from nlpkit.run import Run
    from nlpkit.scoring.score import score_file
    from nlpkit.search.folds import cross_validate
    from nlpkit.search.learning_curve import learning_curve
    from nlpkit.search.search import hyperparameter_search
    from nlpkit.settings.data import ConversationSource, DataSource
    from nlpkit.sources import resolve
    from nlpkit.tasks.prediction import Prediction
    from nlpkit.training.estimator import SentimentClassifier
    from nlpkit.training.train import train, train_seeds
    from nlpkit.trust.audit import audit
    from nlpkit.trust.explain import explain
    from nlpkit.trust.explanation import Explanation
    from nlpkit.trust.file_shares import file_shares
    from nlpkit.trust.reply_explanation import ReplyExplanation
    from nlpkit.watching.watch import watch

__version__ = "0.2.0"

__all__ = [
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

_HOMES = {
    "Chatbot": "nlpkit.generation.chatbot",
    "CheckReport": "nlpkit.data.check_report",
    "Classifier": "nlpkit.classifiers.classifier",
    "ConfigError": "nlpkit.errors",
    "Conversation": "nlpkit.data.examples",
    "ConversationSource": "nlpkit.settings.data",
    "DataError": "nlpkit.errors",
    "DataSource": "nlpkit.settings.data",
    "Explanation": "nlpkit.trust.explanation",
    "LabeledText": "nlpkit.data.examples",
    "LanguageModel": "nlpkit.generation.language_model",
    "NlpkitError": "nlpkit.errors",
    "Prediction": "nlpkit.tasks.prediction",
    "Readings": "nlpkit.classifiers.readings",
    "Record": "nlpkit.data.records",
    "RemoteBot": "nlpkit.generation.remote",
    "ReplyExplanation": "nlpkit.trust.reply_explanation",
    "Report": "nlpkit.reports.report",
    "Run": "nlpkit.run",
    "RunError": "nlpkit.errors",
    "Sampling": "nlpkit.generation.sampling",
    "Score": "nlpkit.metrics.score",
    "SentimentClassifier": "nlpkit.training.estimator",
    "Session": "nlpkit.chat.session",
    "SourceError": "nlpkit.errors",
    "Store": "nlpkit.chat.store",
    "Turn": "nlpkit.data.examples",
    "analyze": "nlpkit.analysis.analyze",
    "audit": "nlpkit.trust.audit",
    "check": "nlpkit.evaluation.data_check",
    "cross_validate": "nlpkit.search.folds",
    "evaluate": "nlpkit.evaluation.held_out",
    "explain": "nlpkit.trust.explain",
    "export": "nlpkit.evaluation.export",
    "hyperparameter_search": "nlpkit.search.search",
    "learning_curve": "nlpkit.search.learning_curve",
    "predict": "nlpkit.classifiers.predict",
    "read_records": "nlpkit.data.records",
    "resolve": "nlpkit.sources",
    "file_shares": "nlpkit.trust.file_shares",
    "label_learn": "nlpkit.labeling.learn",
    "label_next": "nlpkit.labeling.next_texts",
    "label_shares": "nlpkit.labeling.label_shares",
    "score_file": "nlpkit.scoring.score",
    "train": "nlpkit.training.train",
    "train_seeds": "nlpkit.training.train",
    "watch": "nlpkit.watching.watch",
    "zero_shot": "nlpkit.classifiers.zero_shot",
}
"""Where each public name is defined."""


if not TYPE_CHECKING:  # a type checker that saw this would take any misspelt name for a public one

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value  # from now on without this function
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
