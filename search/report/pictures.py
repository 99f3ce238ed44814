"""Plotly figures as PNG files, drawn by kaleido in a browser without a window."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import plotly.graph_objects as go

from compress.disk.whole_file import replaced
from compress.errors import RunError, typed_line

_WIDTH, _HEIGHT = 1000, 460
"""Size of a picture in pixels of the figure's own fonts and lines; the height where the figure says none."""

_NEEDED = "pip install 'tuckprune[report]', and Chromium or Chrome (Debian: apt install chromium)"


def write_pictures(figures: Mapping[Path, go.Figure], scale: int = 1) -> None:
    """Draw every figure as a PNG file; the browser is started once, and loads nothing from the network.

    Args:
        figures: by the path of the file, whose folder exists.
        scale: pixels of the file for each pixel of the figure.

    Raises:
        RunError: kaleido or the browser is missing, or fails; says what to install.
    """
    try:
        import kaleido

        opts = {"format": "png", "width": _WIDTH, "scale": scale}
        with ExitStack() as partial:
            drawn = [
                {
                    "fig": figure.to_dict(),
                    "path": partial.enter_context(replaced(path)),
                    "opts": {**opts, "height": figure.layout.height or _HEIGHT},
                }
                for path, figure in figures.items()
            ]
            # Without MathJax, which it would fetch from the network, and wait for where that does not answer.
            kaleido.write_fig_from_object_sync(drawn, kopts={"mathjax": False})
    except (ImportError, OSError, RuntimeError) as error:
        reason = typed_line(error).partition(". ")[0]
        raise RunError(f"expected kaleido and a browser, received: {reason}; {_NEEDED}") from error
