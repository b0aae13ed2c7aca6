"""Published advisories of the libraries below, each put to what of this project it would reach.

Versions: what pyproject.toml and constraints.txt ask for holds the fix. Calls: what an advisory needs is
called nowhere. The rest is tried: docs/hardening.md says which test tries which advisory.
"""

from __future__ import annotations

import ast
import asyncio
import io
import os
import pickle
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from nlpkit.data.records import read_records
from nlpkit.errors import RunError
from nlpkit.prompts.rendering import render_template
from tests.fuzz import server

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("nlpkit", "demo", "recipes") for path in sorted((ROOT / folder).rglob("*.py"))]

FIXED = [
    ("gradio", "6.27", "CVE-2026-28414 CVE-2026-28416 CVE-2026-48545 GHSA-j36p-7w88-g82j CVE-2025-48889"),
    ("transformers", "5.3", "CVE-2026-4372 CVE-2026-1839 CVE-2024-11392 CVE-2025-6921 CVE-2024-3568"),
    ("torch", "2.10", "CVE-2026-24747 CVE-2025-32434"),
    ("jinja2", "3.1.6", "CVE-2025-27516 CVE-2024-56326 CVE-2024-56201 CVE-2019-10906"),
    ("pyarrow", "14.0.1", "CVE-2023-47248"),
    ("starlette", "0.49.1", "CVE-2025-62727 CVE-2025-54121 CVE-2024-47874 CVE-2023-29159"),
    ("fastapi", "0.109.1", "CVE-2024-24762"),
    ("openpyxl", "2.4.2", "CVE-2017-5992"),
]


@pytest.mark.parametrize(("package", "version", "advisories"), FIXED)
def test_what_is_asked_for_holds_the_fix(package: str, version: str, advisories: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (asked,) = (line for line in map(Requirement, project["dependencies"]) if line.name.lower() == package)
    floor = min(Version(part.version) for part in asked.specifier if part.operator in (">=", "=="))
    assert floor >= Version(version), advisories
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {name.lower(): pin for name, _, pin in (line.partition("==") for line in lines)}
    assert Version(pins[package]) >= Version(version), advisories


REFUSED = {
    "gr.load": "CVE-2026-28416: a proxy to any address",
    "gr.FileExplorer": "GHSA-j36p-7w88-g82j: files outside of its folder",
    "gr.LoginButton": "CVE-2026-27167: a mocked login gives a token away",
    "gr.Dataframe": "CVE-2024-10569: a compressed file fills the memory",
    "gr.set_static_paths": "CVE-2024-1561: files of this machine",
    "torch.load": "CVE-2025-32434 and CVE-2026-24747: weights_only is no boundary",
    "pickle.load": "CVE-2024-3568: loading runs code",
    "pickle.loads": "CVE-2024-11392: loading runs code",
    "pickle.Unpickler": "CVE-2025-1716: scanners of pickles are passed",
    "joblib.load": "CVE-2024-11393: loading runs code",
    "marshal.loads": "loading runs code",
    "yaml.load": "CVE-2020-14343: tags run code",
    "shutil.unpack_archive": "CVE-2021-41127: a path in an archive leads out of the folder",
    "pa.register_extension_type": "CVE-2023-47248: a type in a file is a pickle",
    "nltk.download": "archives and pickles of a server",
    "eval": "a text is run",
    "os.system": "a text is run by a shell",
}
OWN_PROCESSES = "nlpkit/scoring/workers.py"
"""Unpacks what the processes of one scoring send each other."""
REFUSED_METHODS = {"extractall": "CVE-2021-41127: a path in an archive leads out of the folder"}


DANGEROUS = ("trust_remote_code", "shell", "allow_pickle")
"""Arguments that are never True."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_nothing_calls_what_an_advisory_needs() -> None:
    found = []
    for place, call in calls():
        name = ast.unparse(call.func)
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if place.startswith(OWN_PROCESSES):
            continue
        if why := REFUSED.get(name.replace("gradio.", "gr.")) or REFUSED_METHODS.get(method):
            found.append(f"{place}: {name}: {why}")
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        found += [f"{place}: {setting}=True" for setting in DANGEROUS if given.get(setting) == "True"]
        if method == "launch" and (given.get("share"), given.get("allowed_paths")) != ("False", "[]"):
            found.append(f"{place}: {name} without share=False, allowed_paths=[]")
        if name.endswith("Environment") and given.get("autoescape", "True") != "True":
            found.append(f"{place}: {name} does not escape")
    assert found == []


def test_no_dictionary_of_arguments_holds_a_dangerous_one() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(key)}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value in DANGEROUS and ast.unparse(value) == "True"
    ]
    assert found == []


class Canary:
    """A pickle that makes a folder when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("canary",)


@pytest.mark.parametrize("ending", ["parquet", "arrow", "feather"])
def test_cve_2023_47248_a_type_in_a_file_is_never_loaded(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    marks = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Canary()),
    }
    schema = pa.schema([pa.field("text", pa.string(), metadata=marks)])
    table, sink = pa.table([["good"]], schema=schema), io.BytesIO()
    if ending == "parquet":
        pq.write_table(table, sink)
    else:
        with (pa.ipc.new_file if ending == "arrow" else pa.ipc.new_stream)(sink, schema) as writer:
            writer.write_table(table)
    path = tmp_path / f"rows.{ending}"
    path.write_bytes(sink.getvalue())
    assert [record.fields["text"] for record in read_records(path)] == ["good"]
    assert not Path("canary").exists()


ESCAPES = {
    "CVE-2019-10906": "{{ ''.format_map.__class__ }}{{ '{a.__class__}'.format_map({'a': messages}) }}",
    "CVE-2024-56326": "{% set f = '{0.__class__.__mro__}'.format %}{{ f(messages) }}",
    "CVE-2024-56326 at once": "{{ '{0.__class__}'.format(1) }}",
    "CVE-2025-27516": "{{ ('{0.__class__}' | attr('format'))(messages) }}",
    "CVE-2025-27516 in map": "{{ ['{0.__class__}'] | map(attribute='format') | first }}",
    "CVE-2024-56201": "{% include 'x' + '}' %}{{ self._TemplateReference__context }}",
}


@pytest.mark.parametrize("advisory", ESCAPES)
def test_a_template_does_not_leave_its_sandbox(advisory: str) -> None:
    tokenizer = SimpleNamespace(name_or_path="org/strange", special_tokens_map={})
    try:
        text = render_template(
            tokenizer, ESCAPES[advisory], [{"role": "user", "content": "hi"}], add_generation_prompt=True
        )
    except RunError as error:
        text = str(error)
    assert "<class" not in text


SLOW_HEADERS = {
    "CVE-2024-24762": {"content-type": 'application/x-www-form-urlencoded; !="' + "\\" * 20_000},
    "CVE-2024-8966": {"content-type": "multipart/form-data; boundary=" + "-" * 9000},
    "CVE-2024-47874": {"content-type": "multipart/form-data; boundary=x"},
    "CVE-2025-62727": {"range": "bytes=" + "0-1," * 9000, "content-type": "text/plain"},
}


@pytest.mark.parametrize("advisory", SLOW_HEADERS)
def test_a_body_or_a_header_that_is_slow_to_parse_is_refused_at_once(advisory: str, tmp_path: Path) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"a" * 900_000
    begun = time.process_time()
    answer = server.ask(server.app(tmp_path), "/v1/chat/completions", body, SLOW_HEADERS[advisory])
    status, _, _ = asyncio.run(answer)
    assert status == 415
    assert time.process_time() - begun < 2
