"""What the site generator is told beyond its configuration.

Pages link to files of the repository that are no pages (samples, code, the changelog); those are published beside the
pages, so that every link of the site leads somewhere and the build can check it.

Invariant: a link that leads to nothing is left as it is, for the strict build to complain about.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from properdocs.config.defaults import ProperDocsConfig
    from properdocs.structure.files import File, Files
    from properdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
#: Where files of the repository are found in the site.
_SHELF = "repository"
_INDEX = "/index.md"
_LINK = re.compile(r"(?<=\]\()(?P<target>[^)#\s:]+)(?P<rest>#[^)\s]*)?(?=\))")
_FENCE = re.compile(r"^(?: *)(```|~~~).*?^(?: *)\1", re.MULTILINE | re.DOTALL)


def on_config(config: ProperDocsConfig) -> ProperDocsConfig:
    """A ``*`` in the navigation stands for the pages of docs/ that it does not name."""
    named = set(_leaves(config.nav))
    rest = sorted(path.name for path in Path(config.docs_dir).glob("*.md") if path.name not in named)
    config.nav = _expanded(config.nav, rest)
    return config


def _leaves(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for child in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _leaves(child)


def _expanded(nav: Any, rest: list[str]) -> Any:
    if isinstance(nav, dict):
        return {title: _expanded(child, rest) for title, child in nav.items()}
    if isinstance(nav, list):
        return [one for child in nav for one in (rest if child == "*" else [_expanded(child, rest)])]
    return nav


def on_files(files: Files, config: ProperDocsConfig) -> Files:
    """Adds what is linked from the pages."""
    seen: set[str] = set()
    while more := [page for page in files.documentation_pages() if page.src_uri not in seen]:
        for page in more:
            seen.add(page.src_uri)
            for uri in _outside(page):
                _put(files, config, uri)
    return files


def _put(files: Files, config: ProperDocsConfig, uri: str) -> None:
    """A file as it is; a folder as a page with links to its files."""
    from properdocs.structure.files import File

    if files.get_file_from_path(uri) is not None:
        return
    if not uri.endswith(_INDEX):
        if (ROOT / uri.removeprefix(f"{_SHELF}/")).is_file():
            files.append(File.generated(config, uri, abs_src_path=str(ROOT / uri.removeprefix(f"{_SHELF}/"))))
        return
    folder = uri.removesuffix(_INDEX)
    names = sorted(path.name for path in (ROOT / folder.removeprefix(f"{_SHELF}/")).iterdir() if path.is_file())
    lines = [f"# {folder.removeprefix(f'{_SHELF}/')}", "", *(f"- [{name}]({name})" for name in names), ""]
    files.append(File.generated(config, uri, content="\n".join(lines)))
    for name in names:
        _put(files, config, f"{folder}/{name}")


def on_page_markdown(markdown: str, page: Page, config: ProperDocsConfig, files: Files) -> str:
    """Links that leave docs/ are turned to where their files are published."""
    return _linked(markdown, page.file.src_uri)


def _outside(file: File) -> Iterator[str]:
    """What has to be published for the page's links."""
    for found in _LINK.finditer(_FENCE.sub("", file.content_string)):
        uri = _published(found["target"], file.src_uri)
        if uri is not None and uri.startswith(f"{_SHELF}/"):
            yield uri


def _published(target: str, page: str) -> str | None:
    """Where the target of a link on the page is in the site; None for what is not there."""
    shelved = page.startswith(f"{_SHELF}/")
    at_home = page.removeprefix(f"{_SHELF}/") if shelved else f"docs/{page}"
    path = posixpath.normpath(posixpath.join(posixpath.dirname(at_home), target))
    if path.startswith(("../", "/")) or not (ROOT / path).exists():
        return None  # not of this repository, or nothing
    if path.startswith("docs/"):
        return path.removeprefix("docs/") + (_INDEX if (ROOT / path).is_dir() else "")
    return f"{_SHELF}/{path}{_INDEX if (ROOT / path).is_dir() else ''}"


def _linked(text: str, page: str) -> str:
    def turned(found: re.Match[str]) -> str:
        uri = _published(found["target"], page)
        if uri is None:
            return found.group()
        return posixpath.relpath(uri, posixpath.dirname(page) or ".") + (found["rest"] or "")

    kept: list[str] = []
    end = 0
    for fence in _FENCE.finditer(text):
        kept += [_LINK.sub(turned, text[end : fence.start()]), fence.group()]
        end = fence.end()
    return "".join([*kept, _LINK.sub(turned, text[end:])])
