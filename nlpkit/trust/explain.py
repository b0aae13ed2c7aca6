"""Explain a few answers in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from nlpkit.classifiers.classifier import Classifier, as_texts
from nlpkit.classifiers.export_record import is_export
from nlpkit.data.examples import Conversation
from nlpkit.errors import ConfigError, RunError
from nlpkit.generation.addresses import is_address
from nlpkit.run import BUILT_IN_CHAT_MODEL, Run
from nlpkit.tasks.task import task_from
from nlpkit.trust.explainer import Explainer, Method
from nlpkit.trust.explanation import Explanation
from nlpkit.trust.reply_explainer import ReplyExplainer
from nlpkit.trust.reply_explanation import ReplyExplanation
from nlpkit.trust.served_replies import ServedReplies


@overload
def explain(
    texts: str | Sequence[str], run: Run | Path | str | None = None, *, method: Method = "occlusion",
    label: str | None = None, runtime: str = "auto",
) -> list[Explanation]: ...  # fmt: skip


@overload
def explain(
    texts: Conversation | Sequence[Conversation], run: Run | Path | str | None = None, *,
    method: Method = "occlusion", label: str | None = None, runtime: str = "auto",
) -> list[ReplyExplanation]: ...  # fmt: skip


def explain(
    texts: str | Conversation | Sequence[str] | Sequence[Conversation],
    run: Run | Path | str | None = None,
    *,
    method: Method = "occlusion",
    label: str | None = None,
    runtime: str = "auto",
) -> list[Explanation] | list[ReplyExplanation]:
    """Explain the answers to texts: what each word adds, keeps and changes; or the replies at the end of
    conversations: what each earlier turn adds.

        for explanation in nlpkit.explain("a great film"):
            print(explanation.about, explanation.by_weight)
        for explanation in nlpkit.explain(conversations, "runs/chat"):
            print(explanation.reply, explanation.by_weight)

    Args:
        texts: one text, or any sequence of texts; for a chat model conversations. Where a user speaks last,
            the run replies first.
        run: a run, its folder or that of an export; default: the built-in classifier, for conversations the
            built-in chat model.
        method: `occlusion` leaves out word after word; `gradients` are integrated gradients (extra
            `explain`), with the runtime torch.
        label: the label that is explained; default: each that is given.
        runtime: as for `nlpkit predict --runtime`.

    Returns:
        One explanation for each text, or one for each of its labels, or one for each conversation, in order.

    Raises:
        ConfigError: the method, the label or the runtime is unknown, not installed, or does not go together.
        DataError: a text is none, holds no words, or too many; or a conversation has no reply, nothing before
            it, or does not fit in the window.
        RunError: the run is refused, or its answers cannot be explained.
        SourceError: the base of the run can't be fetched.
    """
    conversations = _conversations(texts)
    if conversations:
        chat_run = find_chat_run(BUILT_IN_CHAT_MODEL if run is None else run)
        if chat_run is None:
            raise RunError(
                f"{run}: a classifier; expected the run of a chat model, as there are conversations; "
                f"hint: run={BUILT_IN_CHAT_MODEL!r}"
            )
        refuse_for_replies(method=method, label=label, runtime=runtime)
        replies = ReplyExplainer(ServedReplies.load(chat_run))
        return [replies.explain(conversation) for conversation in conversations]
    if find_chat_run(run):
        raise RunError(
            f"{run}: a chat model; expected conversations to explain the replies of; hint: "
            'nlpkit.Conversation(turns=(nlpkit.Turn(role="user", text="Hello"),))'
        )
    explainer = Explainer(load_for(run, method, runtime), method=method, label=label)
    asked = [
        text if isinstance(text, str) or text.picture else text.text
        for text in as_texts(texts)  # type: ignore[arg-type]
    ]
    return [explanation for of_text in explainer.explain(asked) for explanation in of_text]


def _conversations(texts: object) -> list[Conversation]:
    """Return what is given if it is conversations, and none for texts."""
    if isinstance(texts, Conversation):
        return [texts]
    each = list(texts) if isinstance(texts, (list, tuple)) else []
    return each if each and all(isinstance(text, Conversation) for text in each) else []


def find_chat_run(run: Run | Path | str | None) -> Run | None:
    """Return the run of a chat model; None for a classifier.

    Raises:
        RunError: there is no such run, or a server replies for it.
    """
    if run is None or (not isinstance(run, Run) and is_export(Path(run))):
        return None
    if isinstance(run, str) and is_address(run):
        raise RunError(
            f"{run}: a server replies, which does not say how likely a given reply is; expected a run's "
            f"folder, or {BUILT_IN_CHAT_MODEL}; hint: nlpkit explain {BUILT_IN_CHAT_MODEL} FILE"
        )
    opened = run if isinstance(run, Run) else Run.open(run)
    return opened if task_from(opened.read().task).family.served_by == "chat model" else None


def refuse_for_replies(*, method: str, label: str | None, runtime: str, image: str | None = None) -> None:
    """Refuse what has no meaning for a chat model.

    Raises:
        ConfigError: another method, a label, a runtime that gives no likelihoods, or a column of pictures.
    """
    if method != "occlusion":
        raise ConfigError(f"--method {method}: turns are left out one by one; hint: --method occlusion")
    if label is not None:
        raise ConfigError(f"--label {label}: a chat model gives no labels; hint: leave it out")
    if runtime not in ("auto", "torch"):
        raise ConfigError(f"--runtime {runtime}: likelihoods are computed with torch; hint: --runtime torch")
    if image:
        raise ConfigError("--image: a chat model reads no pictures; hint: leave it out")


def brief_explainer(classifier: Classifier) -> Explainer | None:
    """Return what explains the most probable label of a text, or its number, by occlusion with one random
    order; None where the classifier's answers cannot be explained.
    """
    try:
        return Explainer(classifier, most_claims=1, orders=1)
    except RunError:
        return None


def load_for(run: Run | Path | str | None, method: str, runtime: str) -> Classifier:
    """Load the classifier of a run with a runtime that a method can use."""
    return Classifier.load(run, runtime="torch" if (method, runtime) == ("gradients", "auto") else runtime)
