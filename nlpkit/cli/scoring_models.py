"""The models of a scoring: one run or several, in this process or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.cli.terminal import talk
from nlpkit.errors import ConfigError

if TYPE_CHECKING:
    from nlpkit.scoring.locations import ScoringPlan
    from nlpkit.scoring.preview import PreviewInput
    from nlpkit.trust.cautious import Caution

Promised: TypeAlias = "Callable[[str | None, Any], Caution]"


@contextmanager
def scoring_models(
    run: str | None,
    threads: int | None,
    ray: str | None,
    runtime: str,
    plan: ScoringPlan | PreviewInput,
    promised: Promised | None,
) -> Iterator[Any]:
    """Yield a classifier in this process, or with `--ray` one for each core of a cluster.

    `promised` returns what an answer must reach, of a run and its classifier.
    """
    from nlpkit.classifiers.opening import resolve_runtime

    # The path must mean the same in a worker of Ray, whose working folder is another.
    runs = [str(Path(name).absolute()) if Path(name).exists() else name for name in _runs(run)]
    if len(runs) < 2:
        runtime = resolve_runtime(run, runtime, is_long=plan.is_long, begun_with=plan.begun_with, talk=talk)
    if len(runs) > 1 and promised:
        raise ConfigError("--max-error, --sets: each is a promise about one run; hint: score each by itself")
    caution = promised(runs[0] if runs else None, _load(runs, runtime, threads)) if promised else None
    if ray is None:
        yield _load(runs, runtime, threads, caution)
        return
    from nlpkit.scoring.cluster import open_fleet

    load = partial(_load, runs, runtime, 1, caution)  # each has one core
    with open_fleet(load, ray or None, workers=threads) as fleet:
        yield fleet


def _load(runs: list[str], runtime: str, threads: int | None, caution: Caution | None = None) -> Any:
    """Load one classifier, or several that answer together; `caution` is what an answer must reach."""
    from nlpkit.classifiers.classifier import Classifier
    from nlpkit.classifiers.readings import Readings
    from nlpkit.trust.cautious import Cautious

    if len(runs) < 2:
        classifier = Classifier.load(runs[0] if runs else None, runtime=runtime, threads=threads)
        return classifier if caution is None else Cautious(classifier, caution)
    if runtime not in ("auto", "torch"):
        raise ConfigError(f"--runtime {runtime}: several runs answer together by torch; hint: leave it out")
    readings = Readings.load(runs, threads=threads)
    for name, layers in readings.shared.items():
        if not layers:
            talk(
                f"{name} shares no layers with {next(iter(readings.classifiers))}: it takes its full time; "
                "hint: train both with training.freeze=0.67"
            )
    return readings


def _runs(run: str | None) -> list[str]:
    """Return the names in `a,b,c`; a folder whose own name has a comma is one run."""
    return [] if run is None else [run] if Path(run).exists() else run.split(",")
