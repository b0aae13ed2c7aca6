"""Write a bill of materials of what is installed, as CycloneDX JSON: `python -m tests.sbom > sbom.json`.

It holds nlpkit, what it needs, and what these need: versions, licenses, and hashes of their files, from the
lock files.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

LOCKS = Path(__file__).parents[1] / "requirements"


def canonical(requirement: str) -> str:
    """Return the name in a requirement as pypi.org writes it."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def needed(extras: Iterable[str] = ()) -> dict[str, set[str]]:
    """Return the installed packages that nlpkit needs here, and what each of them needs."""
    found: dict[str, set[str]] = {}
    waiting, seen = [("nlpkit", extra) for extra in ("", *extras)], set()
    while waiting:
        name, extra = pair = waiting.pop()
        if pair in seen:
            continue
        seen.add(pair)
        try:
            requirements = map(Requirement, requires(name) or [])
        except PackageNotFoundError:  # of an extra that is not installed
            continue
        found.setdefault(name, set())
        for each in requirements:
            if each.marker is None or each.marker.evaluate({"extra": extra}):
                found[name].add(canonical(each.name))
                waiting += [(canonical(each.name), inner) for inner in ("", *each.extras)]
    return found


def locked(name: str) -> dict[str, str]:
    """Return the entries of a lock file by name: version, marker and hashes."""
    text = (LOCKS / f"{name}.lock").read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"^(?=[^\s#])", text, flags=re.MULTILINE) if "==" in entry]
    return {canonical(entry): entry for entry in entries}


def license_of(facts: PackageMetadata) -> str:
    """Return a package's license as it states it; empty where it states none."""
    if expression := facts.get("License-Expression"):
        return str(expression)
    classes = [line for line in facts.get_all("Classifier") or () if line.startswith("License ::")]
    return classes[0].rpartition(" :: ")[2] if classes else (facts.get("License") or "").split("\n")[0][:100]


def component(name: str, hashes: Iterable[str]) -> dict[str, Any]:
    """Return a package as a component, each file of it with its hash."""
    stated = license_of(metadata(name))
    files = [
        {
            "type": "distribution",
            "url": f"https://pypi.org/project/{name}/{version(name)}/",
            "hashes": [{"alg": "SHA-256", "content": digest}],
        }
        for digest in hashes
    ]
    return {
        "type": "library",
        "bom-ref": name,
        "name": name,
        "version": version(name),
        "purl": f"pkg:pypi/{name}@{version(name).partition('+')[0]}",
        **({"licenses": [{"license": {"name": stated}}]} if stated else {}),
        **({"externalReferences": files} if files else {}),
    }


def bill(packages: Mapping[str, set[str]]) -> dict[str, Any]:
    """Return the bill of materials of these packages; the first of all is nlpkit."""
    entries = {name: entry for lock in ("base", "extras", "cuda") for name, entry in locked(lock).items()}
    hashes = {name: re.findall(r"sha256:([0-9a-f]{64})", entry) for name, entry in entries.items()}
    made = {name: component(name, hashes.get(name, ())) for name in sorted(packages)}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**made.pop("nlpkit"), "type": "application"}},
        "components": list(made.values()),
        "dependencies": [
            {"ref": name, "dependsOn": sorted(on & packages.keys())} for name, on in sorted(packages.items())
        ],
    }


if __name__ == "__main__":
    json.dump(bill(needed()), sys.stdout, indent=2)
    print()
