"""The report in a real browser: every figure is drawn, in light and dark, on a desk and on a phone; pictures too."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from search.report.report import draw_pictures, old_pictures, write_report
from tests.search.report.report_runs import compared, made_up

CHROMIUM = shutil.which("chromium")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")


@dataclass
class Opened:
    """A page, what it said on the console, and all that it asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def opened(browser: Browser, path: Path, scheme: str) -> Opened:
    view = Opened(browser.new_page(viewport=DESK, color_scheme=scheme))
    view.page.on("console", lambda message: view.said.append(message.text))
    view.page.on("pageerror", lambda error: view.said.append(str(error)))
    view.page.on("request", lambda request: view.asked.append(request.url))
    view.page.goto(path.as_uri())
    return view


def sizes(page: Page) -> dict[str, tuple[float, float, float]]:
    """Of every figure: its width, its height, and the number of marks in it."""
    script = """() => Object.fromEntries([...document.querySelectorAll(".chart")].map(place => {
        const box = place.querySelector(".main-svg").getBoundingClientRect();
        return [place.id.replace("figure-", ""), [box.width, box.height, place.querySelectorAll(".point").length]];
    }))"""
    return page.evaluate(script)


def background(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def overflow(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_the_page_and_its_pictures(home, monkeypatch):
    monkeypatch.delenv("BROWSER_PATH")
    run = made_up(home)
    compared(run)
    written = write_report(run)
    assert old_pictures(run) == []
    (run / "figures").mkdir()
    (run / "figures" / "of-an-earlier-report.png").touch()
    html, pictures = written.paths[0], draw_pictures(written)
    assert old_pictures(run) == sorted(pictures)
    names = {path.stem for path in pictures}
    assert names == {"accuracy-flops", "finals", "history-0-0", "importance-0", "layer-flops"} | {
        "ranks-in",
        "ranks-out",
        "ratios",
        "timeline",
    }
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.width == 2000
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 10  # Not blank.

    with sync_playwright() as playwright:
        # Containers have no user namespaces for the sandbox; the page is our own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        light, dark = (opened(browser, html, scheme) for scheme in ("light", "dark"))
        for view in (light, dark):
            drawn = sizes(view.page)
            assert drawn.keys() == names
            assert all(width > 900 and height > 150 and marks > 0 for width, height, marks in drawn.values()), drawn
            assert overflow(view.page) == 0
        assert (background(light.page), background(dark.page)) == ("rgb(246, 248, 250)", "rgb(14, 19, 24)")
        letters = "document.querySelector('#figure-ratios .xtick text').style.fill"
        assert light.page.evaluate(letters) != dark.page.evaluate(letters)

        dark.page.click("#theme")
        assert background(dark.page) == background(light.page)
        assert dark.page.evaluate(letters) == light.page.evaluate(letters)

        light.page.set_viewport_size(PHONE)
        light.page.wait_for_function("document.querySelector('.main-svg').clientWidth < 390")
        assert overflow(light.page) == 0
        assert all(200 < width <= 390 and marks > 0 for width, _, marks in sizes(light.page).values())
        for link in light.page.query_selector_all("nav a"):
            assert light.page.query_selector(link.get_attribute("href")) is not None

        for view in (light, dark):
            assert view.said == []
            assert [url for url in view.asked if not url.startswith(("file:", "data:"))] == []
        browser.close()
