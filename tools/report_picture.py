#!/usr/bin/env python3
"""A picture of some sections of a comparison's page, for documents.

usage: report_picture.py REPORT.html PICTURE.png [TITLE...]     TITLE: of sections, next to each other; none: the page from its top, with its first figure

Needs chromium, chromium-driver and python3-selenium, as tests/report does.
"""
import base64
import sys
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

WIDTH, MARGIN = 1000, 12
RECTANGLE = """const titles = arguments[0], sections = [...document.querySelectorAll("section")];
const chosen = titles.map(t => sections.find(s => s.querySelector("h2")?.textContent === t));
const missing = titles.filter((t, i) => !chosen[i]);
if (missing.length) return {missing, known: sections.map(s => s.querySelector("h2")?.textContent).filter(Boolean)};
const boxes = chosen.map(s => s.getBoundingClientRect());
const top = boxes.length ? Math.min(...boxes.map(b => b.top)) : 0;
const bottom = boxes.length ? Math.max(...boxes.map(b => b.bottom)) : document.querySelector("canvas").closest("section").getBoundingClientRect().bottom;
return {top: top + scrollY, bottom: bottom + scrollY};"""


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip().splitlines()[2])
    page, picture, titles = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3:]
    if not page.exists():
        sys.exit(f"error: no page {page}")
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},1200"):
        options.add_argument(flag)
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    try:
        driver.get(page.as_uri())
        box = driver.execute_script(RECTANGLE, titles)
        if "missing" in box:
            sys.exit(f"error: no section '{box['missing'][0]}'; known: {', '.join(box['known'])}")
        clip = {"x": 0, "y": max(0, box["top"] - MARGIN), "width": WIDTH, "height": box["bottom"] - box["top"] + 2 * MARGIN, "scale": 1}
        shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
        picture.write_bytes(base64.b64decode(shot["data"]))
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
