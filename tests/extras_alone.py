"""Resolve each extra alone, as pip would for an empty environment with the pins; nothing is installed.

    make extras                                  # all extras
    python -m tests.extras_alone dist/nlpkit-0.2.0-py3-none-any.whl onnx ray

Prints the packages that each extra brings on top of nlpkit's own. pip's index must answer; it takes minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def resolved(requirement: str) -> set[str]:
    """Return the packages, with versions, that pip would install; a failure ends the program."""
    pip = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-q", "--dry-run")
    report = ("--ignore-installed", "--report", "-", "-c", str(ROOT / "constraints.txt"))
    done = subprocess.run([*pip, *report, requirement], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{requirement}: pip resolves it not\n{done.stderr}")
    packages = [package["metadata"] for package in json.loads(done.stdout)["install"]]
    return {f"{package['name']}=={package['version']}" for package in packages}


def main(wheel: str, *extras: str) -> None:
    """Print for each extra what it brings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    alone = resolved(wheel)
    print(f"nlpkit: {len(alone)} packages", flush=True)
    for extra in extras or tuple(project["optional-dependencies"]):
        brought = sorted(resolved(f"{wheel}[{extra}]") - alone)
        print(f"nlpkit[{extra}]: {len(brought)} more: {', '.join(brought)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
