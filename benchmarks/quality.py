"""How good the answers are, each against a named peer on the same rows.

python -m benchmarks.quality sentences [KEY=VALUE ...]      movie sentences: TF-IDF with logistic regression, VADER
python -m benchmarks.quality intensity [KEY=VALUE ...]      each domain from the three others: VADER, one human
python -m benchmarks.quality default [--run RUN]            the classifier that nlpkit carries: VADER, suites
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import carried, intensity, sentences
from benchmarks.results import FOLDER
from nlpkit.errors import NlpkitError


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--results", type=Path, default=FOLDER, help="the folder that results go to")
    settings = argparse.ArgumentParser(add_help=False)
    settings.add_argument(
        "overrides", nargs="*", help="key.path=value settings of the training, such as output=runs"
    )
    verbs.add_parser("sentences", parents=[options, settings])
    domains = verbs.add_parser("intensity", parents=[options, settings])
    domains.add_argument("--domains", nargs="+", choices=intensity.DOMAINS, default=list(intensity.DOMAINS))
    verbs.add_parser("default", parents=[options]).add_argument("--run", help="another run of three classes")
    asked = parser.parse_args(arguments)
    try:
        if asked.verb == "sentences":
            sentences.bench(asked.overrides, results=asked.results, talk=print)
        elif asked.verb == "intensity":
            intensity.bench(asked.overrides, domains=asked.domains, results=asked.results, talk=print)
        else:
            carried.bench(asked.run, results=asked.results, talk=print)
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
