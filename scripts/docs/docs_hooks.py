"""What MkDocs calls while it builds the site: pages made from the code, and drawings put into their pages."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from scripts.docs import config_reference, python_reference

_COMMANDS = """# Command line

One command for every stage of a run; this page is made from the commands themselves. `tuckprune --install-completion`
teaches the shell to complete them.

"""
ROOT = Path(__file__).parents[2]
_HOME = {"README.md": "index.md"} | {name: name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")}
_DRAWING = re.compile(r'<img alt="([^"]*)" src="([^"]*drawings/[\w-]+\.svg)"[^>]*>')


def on_files(files: Files, config: Any) -> Files:
    """Add the README as the first page, what it links to, and the references made from the code."""
    try:
        pages = {
            "reference/config.md": config_reference.page(),
            "reference/cli.md": _COMMANDS + _commands(),
            "reference/python.md": python_reference.page(),
        }
    except (ValueError, subprocess.SubprocessError) as error:
        raise PluginError(f"the references: {error}") from error
    pages |= {target: _of_root(source) for source, target in _HOME.items()}
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    for path in (ROOT / "LICENSE", *sorted((ROOT / "configs").glob("*.yaml"))):
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def _of_root(name: str) -> str:
    """A page of the repository's root with its links as they are from docs/."""
    return (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links from docs/ to pages of the repository's root, as they are in the site."""
    return re.sub(r"\]\(\.\./([A-Z]+\.md)", r"](\1", markdown)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Put drawings into the page itself, where they take the colours of its theme."""

    def inline(match: re.Match[str]) -> str:
        alt, source = match.groups()
        drawing = (Path(config["docs_dir"]) / "drawings" / Path(source).name).read_text(encoding="utf-8")
        return drawing.replace("<svg ", f'<svg role="img" aria-label="{alt}" ', 1)

    return _DRAWING.sub(inline, html)


def _commands() -> str:
    """What Typer's own documentation command writes, its headings one level down."""
    command = [sys.executable, "-m", "typer", "search.cli.app", "utils", "docs", "--name", "tuckprune"]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    # The list of commands, with their first words only, is beside the page in full.
    body = re.sub(r"\*\*Commands\*\*:\n\n(\* .*\n)+", "", made.split("\n", 1)[1]).replace("&#x27;", "'")
    return body.replace('<span style="font-weight: bold">', "<strong>").replace("</span>", "</strong>")
