"""What `make docs` adds to the pages of docs/: the generated reference, receipts, and Markdown for machines.

The pages of docs/ stay plain Markdown with links between files. A link to a file that is no page leads to the
repository.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

import command_reference
import error_reference
import settings_reference
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

import nlpkit

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
REPOSITORY = "https://github.com/nlpkit/nlpkit/blob/main/"
PYTHON = {
    "functions": [name for name in nlpkit.__all__ if name[0].islower()],
    "classes": [name for name in nlpkit.__all__ if name[0].isupper() and not name.endswith("Error")],
    "errors": [name for name in nlpkit.__all__ if name.endswith("Error")],
}
BOOST = {"python": 0.8, "settings": 0.6, "errors": 0.3, "receipts": 0.2}
"""How much a generated page counts in the search, where 1 is a written one."""
SEARCH = 'data-md-component="search" role="dialog"'
LOADS = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["']?(?:https?:)?//[^\s>]*"""
    r"""|<link\b(?![^>]*rel="?canonical)[^>]*\bhref=["']?(?:https?:)?//[^\s>]*"""
    r"""|(?:@import|url\()\s*["']?(?:https?:)?//[^\s)]*"""
)
"""What makes a browser ask another machine when a page opens."""


def on_config(config: Any) -> Any:
    """Make the generated pages, and put them into the navigation."""
    generated = {f"settings/{name}.md": text for name, text in settings_reference.pages().items()}
    generated |= {f"errors/{name}.md": text for name, text in error_reference.pages().items()}
    for kind, names in PYTHON.items():
        blocks = "\n".join(f"::: {nlpkit._HOMES[name]}.{name}\n" for name in names)
        generated[f"python/{kind}.md"] = f"# Python: {kind}\n\n{blocks}"
    for receipt in sorted(RESULTS.glob("*.md")):
        generated[f"receipts/{receipt.name}"] = receipt.read_text(encoding="utf-8")
    config.extra["generated"] = {
        name: f"---\nsearch:\n  boost: {BOOST[name.partition('/')[0]]}\n---\n{text}"
        for name, text in generated.items()
    }
    [reference] = [entry["Reference"] for entry in config.nav if "Reference" in entry]
    for folder in ("python", "settings", "errors", "receipts"):
        reference.append({folder.title(): [name for name in generated if name.startswith(f"{folder}/")]})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages and the figures of the receipts."""
    for name, text in config.extra["generated"].items():
        files.append(File.generated(config, name, content=text))
    for figure in sorted(RESULTS.glob("*.png")):
        files.append(File.generated(config, f"receipts/{figure.name}", abs_src_path=str(figure)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Lead links to receipts to their pages, and other links out of docs/ to the repository."""

    def target(match: re.Match[str]) -> str:
        path, _, anchor = match[1].partition("#")
        real = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.file.src_uri), path))
        anchor = f"#{anchor}" if anchor else ""
        if page.file.src_uri.startswith("receipts/"):
            real = posixpath.normpath(posixpath.join("benchmarks/results", path))
        elif real.startswith("docs/") and not real.startswith("docs/site/"):
            return match[0]
        inside = real.replace("benchmarks/results/", "receipts/").removeprefix("docs/")
        if not inside.startswith("site/") and files.get_file_from_path(inside):
            return f"]({posixpath.relpath(inside, posixpath.dirname(page.file.src_uri) or '.')}{anchor})"
        if not (ROOT / real).exists():
            logging.getLogger("mkdocs.hooks").warning("%s: no such file: %s", page.file.src_uri, match[1])
        return f"]({REPOSITORY}{real}{anchor})"

    text = re.sub(r"\]\((?!https?://|#|mailto:)([^)\s]+)\)", target, markdown)
    return f"{text}\n{command_reference.page()}" if page.file.src_uri == "command-line.md" else text


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Write the page's Markdown next to it, and name its search for screen readers."""
    twin = Path(config.site_dir) / page.file.src_uri
    twin.parent.mkdir(parents=True, exist_ok=True)
    twin.write_text(_python_twin(page) or page.markdown, encoding="utf-8")
    return output.replace(SEARCH, f'{SEARCH} aria-label="Search"')


def on_nav(nav: Any, config: Any, files: Any) -> None:
    """Keep the navigation for `llms.txt`."""
    config.extra["sections"] = nav.items


def on_post_build(config: Any) -> None:
    """Write `llms.txt`, and refuse a site that would ask another machine for anything."""
    site = Path(config.site_dir)
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", ""]
    for item in config.extra["sections"]:
        lines += [f"## {item.title}", "", *_listed(item), ""]
    (site / "llms.txt").write_text("\n".join(lines), encoding="utf-8")
    asked = [
        f"{path.relative_to(site)}: {match[0]}"
        for path in sorted(site.rglob("*"))
        if path.suffix in {".html", ".css"}
        for match in LOADS.finditer(path.read_text(encoding="utf-8"))
    ]
    if asked:
        raise PluginError("the site would load from other machines:\n" + "\n".join(asked[:20]))


def _listed(item: Any) -> list[str]:
    if item.is_page:
        return [f"- [{item.title}]({item.file.src_uri}): {_first_sentence(item.markdown)}"]
    return [line for child in item.children or () for line in _listed(child)]


def _first_sentence(markdown: str) -> str:
    """Return the first sentence of a page below its title, without code, tables, pictures and links."""
    prose = re.sub(r"^```.*?^```$", "", markdown, flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in prose.splitlines() if line and line[0] not in "#|!:<"]
    text = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", " ".join(lines))
    return re.split(r"(?<=[.?!])\s", text, maxsplit=1)[0]


def _python_twin(page: Any) -> str:
    """Return signatures and docstrings as Markdown for a page of the Python reference."""
    import inspect

    folder, _, file = page.file.src_uri.partition("/")
    if folder != "python":
        return ""
    parts = [f"# {page.title}\n"]
    for name in PYTHON[file.removesuffix(".md")]:
        value = getattr(nlpkit, name)
        try:
            signature = re.sub(r"<function .*?>", "...", str(inspect.signature(value)))
        except ValueError:
            signature = ""
        parts.append(f"## {name}\n\n```python\n{name}{signature}\n```\n\n{inspect.getdoc(value) or ''}\n")
    return "\n".join(parts)
