"""Check the words that people read against the project's glossary (CONTRIBUTING.md, "Words").

    python -m tests.words                 # everything that git tracks
    python -m tests.words nlpkit/chat     # some files or folders

Prints each place with the word to use instead, and exits with 1 if there is any.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

READ = frozenset({".py", ".md", ".jinja", ".yaml", ".toml", ".css", ".js", ".cff"})
"""Endings of files that are checked."""

SKIPPED = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "tests/words.py",
    "tests/unit/test_words.py",
    "tests/legacy/",
    "recipes/data/",
    "nlpkit/data/suites/",
)
"""Files that name old words on purpose, or hold other people's texts."""

OLD_NAME = "# an old name"
"""Ends a line that reads what an earlier version wrote, and is not checked."""

KEYS = re.compile(r"(data|self_training)\.unlabelled\b|(^  |\{)unlabelled:")
"""Keys that configs of earlier versions have and later ones keep: not checked."""

GLOSSARY: tuple[tuple[str, str], ...] = (
    (r"cure:", "hint:"),
    (
        r"(best|each|every|last|first|mean|those|these|between|after|more|all|two|of)"
        r" looks?\b(?! (at|like|for|up))",
        "evaluation",
    ),
    (r"carried classifier|classifier (that )?(nlpkit|the package) carries", "built-in classifier"),
    (r"whole runs?", "completed run"),
    (r"beside", "next to, compared with, baseline"),
    (r"told", "system prompt (for a chat model), reported (for a count)"),
    (r"room", "token budget, available tokens"),
    (r"prov(e|ed|es|ing)", "verify, parity check"),
    (r"flips|drift", "changed labels, max difference"),
    (r"forg(ed|ing|eries|ery)", "special-token injection"),
    (r"sayings?", "streaming reply"),
    (r"thumbs?", "rating, feedback"),
    (r"kept exports?", "cached export"),
    (r"(speaking|classifying|distilling)(?=\()", "language_model_objective, classification_objective, ..."),
    (r"OpenBase", "LoadedBase"),
    (r"distil(_\w+)?", "distill, distillation_..."),
    (r"how sure", "confidence, probability"),
    (r"taken for what", "confusion matrix"),
    (r"(cannot|can't|can not) be meant", "invalid"),
    (r"learnt", "learned, trained"),
    (r"answers? otherwise", "gives other answers"),
    (r"what computes", "the runtime"),
    (r"Nothing, where", "a plain sentence"),
    (r"(un)?labell(ed|ing|er)", "labeled, labeling"),
    (r"behaviour\w*", "behavior"),
    (r"colour\w*", "color"),
    (r"favour\w*", "favor"),
    (r"licences?", "license"),
    (
        r"(recogn|organ|optim|normal|serial|summar|token|initial)is(e|ed|es|ing|ation|ations|er|ers)",
        "-ize, -ization",
    ),
)
"""What is not written, and what is written instead. Whole words, in either case."""

VAGUE = frozenset({"one", "other", "place", "found", "said"})
"""Names that say nothing of what they hold."""

_GLOSSARY = tuple((re.compile(rf"(?<![\w-])(?:{old})(?!\w)", re.IGNORECASE), new) for old, new in GLOSSARY)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A place where the glossary is not kept."""

    path: str
    line: int
    word: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word!r}; use: {self.instead}"


def check_text(text: str, path: str) -> Iterator[Finding]:
    """Yield the old words in a text."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.endswith(OLD_NAME):
            continue
        line = KEYS.sub("", line)
        for pattern, instead in _GLOSSARY:
            for match in pattern.finditer(line):
                yield Finding(path=path, line=number, word=match[0], instead=instead)


def check_code(text: str, path: str) -> Iterator[Finding]:
    """Yield the vague names and the docstrings that begin with "Nothing" in Python code."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in VAGUE:
            yield Finding(path=path, line=node.lineno, word=node.id, instead="a name for what it holds")
        elif isinstance(node, ast.arg) and node.arg in VAGUE:
            yield Finding(path=path, line=node.lineno, word=node.arg, instead="a name for what it holds")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and (
            ast.get_docstring(node) or ""
        ).startswith("Nothing"):
            yield Finding(path=path, line=node.lineno, word="Nothing", instead="say what the function does")


def check(paths: Iterable[Path]) -> list[Finding]:
    """Return all findings in the files, in their order."""
    findings: list[Finding] = []
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        if path.suffix in READ and not name.startswith(SKIPPED):
            text = path.read_text(encoding="utf-8")
            findings += check_text(text, name)
            if path.suffix == ".py" and not name.startswith("tests/"):
                findings += check_code(text, name)
    return findings


def tracked(arguments: Iterable[str] = ()) -> list[Path]:
    """Return the files that git tracks, below the given paths if there are any."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "--", *arguments]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]


if __name__ == "__main__":
    findings = check(tracked(sys.argv[1:]))
    print(*findings, sep="\n")
    print(f"{len(findings)} findings", file=sys.stderr)
    sys.exit(bool(findings))
