"""Replies of a dialogue run and its base to three prompts, printed as a Markdown table.

    python -m benchmarks.three_prompts runs/chitchat

The prompts were written before any reply to them was seen. Don't change them.
"""

from __future__ import annotations

import sys

from nlpkit.data.examples import Conversation, Role, Turn
from nlpkit.generation.language_model import LanguageModel

SEED = 1


def conversation(system: str, *texts: str) -> Conversation:
    roles: tuple[Role, Role] = ("user", "assistant")
    return Conversation(
        system=system, turns=tuple(Turn(role=roles[index % 2], text=text) for index, text in enumerate(texts))
    )


PROMPTS = (
    conversation("What is the best way to spend a weekend?", "hi! so what do you usually do on a saturday?"),
    conversation(
        "Would you rather have a cat or a dog?",
        "my dog biscuit ate my homework last night",
        "oh no, all of it?",
        "every single page. what should i tell my teacher?",
    ),
    conversation(
        "If you could travel anywhere, where would you go?",
        "i just got back from iceland",
        "that sounds amazing, how was it?",
        "cold! guess what i ate there",
    ),
)


def main(run: str) -> None:
    """Print the table."""
    base, tuned = LanguageModel.without_adapter(run), LanguageModel.load(run)
    print(f"| conversation | {base.name} | tuned |\n| --- | --- | --- |")
    for prompt in PROMPTS:
        history = "<br>".join(
            [f"*{prompt.system}*", *(f"**{turn.role}:** {turn.text}" for turn in prompt.turns)]
        )
        replies = (model.reply(prompt, seed=SEED) for model in (base, tuned))
        print(f"| {history} | {' | '.join(_cell(reply) for reply in replies)} |")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", "<br>")


if __name__ == "__main__":
    main(sys.argv[1])
