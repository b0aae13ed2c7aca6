"""Quality of the answers, each compared with a named peer on the same rows.

python -m benchmarks.quality sentences [KEY=VALUE ...]   movie sentences: logistic regression, VADER
python -m benchmarks.quality intensity [KEY=VALUE ...]   each domain from the others: VADER, one human
python -m benchmarks.quality default [--run RUN]         the built-in classifier: VADER, suites
python -m benchmarks.quality languages                   both built-in classifiers in six languages
python -m benchmarks.quality support                     the mood of messages to a support desk: VADER
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import builtin, intensity, languages, sentences, support
from benchmarks.results import FOLDER
from nlpkit.errors import NlpkitError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--results", type=Path, default=FOLDER, help="the folder for the results")
    settings = argparse.ArgumentParser(add_help=False)
    settings.add_argument(
        "overrides", nargs="*", help="key.path=value settings of the training, such as output=runs"
    )
    verbs.add_parser("sentences", parents=[options, settings])
    domains = verbs.add_parser("intensity", parents=[options, settings])
    domains.add_argument("--domains", nargs="+", choices=intensity.DOMAINS, default=list(intensity.DOMAINS))
    verbs.add_parser("default", parents=[options]).add_argument("--run", help="another run of three classes")
    verbs.add_parser("languages", parents=[options])
    verbs.add_parser("support", parents=[options])
    args = parser.parse_args(arguments)
    try:
        if args.verb == "sentences":
            sentences.bench(args.overrides, results=args.results, talk=print)
        elif args.verb == "intensity":
            intensity.bench(args.overrides, domains=args.domains, results=args.results, talk=print)
        elif args.verb == "languages":
            languages.bench(results=args.results, talk=print)
        elif args.verb == "support":
            support.bench(results=args.results, talk=print)
        else:
            builtin.bench(args.run, results=args.results, talk=print)
    except NlpkitError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
