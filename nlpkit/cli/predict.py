"""The command that answers a few texts."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from nlpkit.cli.completion import complete_runs
from nlpkit.cli.options import Json, RuntimeChoice, renamed
from nlpkit.cli.terminal import show_answer, warn_unreadable


def predict(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN] TEXT...",
            autocompletion=complete_runs,
            help="RUN: a run's folder; default: the built-in classifier. The texts, each in quotes.",
        ),
    ],
    old_run: Annotated[str | None, typer.Option("--run", hidden=True)] = None,
    runtime: RuntimeChoice = "auto",
    as_json: Json = False,
) -> None:
    """Predict the sentiment of a few texts."""
    import json

    from nlpkit.classifiers.classifier import Classifier
    from nlpkit.data.text_language import scripts_of

    named, texts = split_run(arguments) if old_run is None else (None, arguments)
    run = renamed(named, old="--run RUN", given=old_run, new="the first argument: nlpkit predict RUN TEXT...")
    classifier = Classifier.load(run, runtime=runtime)
    answers = classifier.predict(texts)
    for text, answer in zip(texts, answers, strict=True):
        if as_json:
            typer.echo(json.dumps({"text": text, **answer.row()}, ensure_ascii=False))
        else:
            show_answer(text, classifier.shown(answer))
    unreadable = (text for text, answer in zip(texts, answers, strict=True) if answer.is_unreadable)
    warn_unreadable(scripts_of(unreadable), len(texts))


def split_run(arguments: list[str]) -> tuple[str | None, list[str]]:
    """Split `[RUN] TEXT...`: the first of several is a run if it is a folder or a built-in run, or is spelled
    like a path.
    """
    from nlpkit.run import BUILT_IN, BUILT_IN_CHAT_MODEL

    first, *rest = arguments
    is_path = os.path.isdir(first) or (os.sep in first and not any(map(str.isspace, first)))
    is_run = is_path or first in (*BUILT_IN, BUILT_IN_CHAT_MODEL)
    return (first, rest) if rest and is_run else (None, arguments)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog="Examples: nlpkit predict 'not bad at all'   |   "
        "nlpkit predict runs/mine 'great' 'awful' --json"
    )(predict)
