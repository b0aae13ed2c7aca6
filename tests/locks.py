"""Write the lock files, the versions of constraints.txt with their hashes: `python -m tests.locks`.

It needs uv. Its index must be a public one, whose files anyone can get.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "requirements"
CUDA = ("cuda-", "nvidia-", "triton")
"""What PyTorch's build for CUDA brings on Linux."""
HEADERS = {
    "base": "What nlpkit and its build need: pip install --require-hashes -r requirements/base.lock",
    "extras": "What all extras need, in addition to base.lock.",
    "cuda": "What PyTorch needs for a GPU on Linux, in addition to base.lock.",
}


def resolve(*extras: str) -> dict[str, str]:
    """Return the entry of each package that is needed on any platform: its version, marker and hashes."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    words = ["pyproject.toml", "-", "-c", "constraints.txt", "--universal", "--python-version", "3.11"]
    words += ["--no-emit-package", "pip"]  # it installs the rest
    words += ["--generate-hashes", "--no-header", "--no-annotate", "--no-strip-extras", "--quiet"]
    done = subprocess.run(
        ["uv", "pip", "compile", *words, *extras],  # noqa: S607
        cwd=ROOT,
        input="\n".join([*build, "editables"]),  # hatchling asks for editables to install with -e
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    entries = re.split(r"^(?=[a-z0-9])", done.stdout, flags=re.MULTILINE)
    return {re.split(r"[\[=]", entry)[0]: entry for entry in entries if "==" in entry}


def main() -> None:
    """Write each package into one of the files."""
    base, everything = resolve(), resolve("--all-extras")
    locks: dict[str, str] = {
        name: f"# {header}\n# Written by make lock.\n" for name, header in HEADERS.items()
    }
    for name, entry in everything.items():
        locks["cuda" if name.startswith(CUDA) else "base" if name in base else "extras"] += entry
    LOCKS.mkdir(exist_ok=True)
    for name, text in locks.items():
        (LOCKS / f"{name}.lock").write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
