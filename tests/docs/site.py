"""What the site needs beside its pages: files that they lead to and that lie outside of docs/.

A hook of MkDocs, named in mkdocs.yml. On the site such a file lies in `project/`.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"(?P<before>\]\(|(?:src|href)=\")(?P<path>(?!https?:|mailto:|#)[^)#\"\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add what any page leads to, and what those files lead to."""
    waiting = [page.src_uri for page in files.documentation_pages()]
    while waiting:
        uri = waiting.pop()
        known = files.get_file_from_path(uri)
        assert known is not None
        for path in _leads_to(known.content_string, _in_project(uri)):
            name = _on_site(path)
            if (ROOT / path).is_file() and files.get_file_from_path(name) is None:
                files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
                waiting += [name] if name.endswith(".md") else []
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links lead to where the files lie on the site."""
    here = page.file.src_uri
    folder = posixpath.dirname(_in_project(here))

    def lead(found: re.Match[str]) -> str:
        target = _on_site(posixpath.normpath(posixpath.join(folder, found["path"])))
        return found["before"] + posixpath.relpath(target, posixpath.dirname(here) or ".")

    return _LINK.sub(lead, markdown)


def _leads_to(markdown: str, path: str) -> list[str]:
    """The files that a page leads to, from the root of the project."""
    folder = posixpath.dirname(path)
    found = (each["path"] for each in _LINK.finditer(markdown))
    return [posixpath.normpath(posixpath.join(folder, each)) for each in found]


def _in_project(uri: str) -> str:
    return uri.removeprefix("project/") if uri.startswith("project/") else f"docs/{uri}"


def _on_site(path: str) -> str:
    return path.removeprefix("docs/") if path.startswith("docs/") else f"project/{path}"
