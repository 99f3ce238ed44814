"""Pictures of figures, for the documentation."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def write_picture(figure: Any, path: Path, width: int = 1000, height: int = 460) -> None:
    """Write a plotly figure as a PNG, drawn by a browser without a window.

    Raises:
        RuntimeError: no browser is installed, or it draws nothing.
    """
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise RuntimeError(f"expected one of {', '.join(_BROWSERS)} on the path, received none; install chromium")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "figure.html"
        figure.update_layout(width=width, height=height)
        page.write_text(
            f"<body style='margin:0'>{figure.to_html(full_html=False, config={'staticPlot': True})}</body>",
            encoding="utf-8",
        )
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=8000"]
        path.unlink(missing_ok=True)
        made = subprocess.run(
            [browser, *flags, f"--window-size={width},{height}", f"--screenshot={path.resolve()}", page.as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if made.returncode or not path.exists():
        raise RuntimeError(f"expected a picture at {path}, received none from {browser}: {made.stderr[-300:]}")
