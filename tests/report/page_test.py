#!/usr/bin/env python3
"""Opens the page that `statera report` makes in headless Chromium, in both colour schemes and at two widths.

usage: page_test.py STATERA FOLDER     STATERA: the program; FOLDER: for the pages and their screenshots

Per page: nothing in the console, no request but for files, every chart is drawn, nothing wider than the screen, no markup from the report.
"""
import base64
import copy
import json
import subprocess
import sys
import unittest
from pathlib import Path

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
except ImportError:
    sys.exit(f"error: {sys.executable} has no selenium: apt-get install python3-selenium chromium chromium-driver, and run this with /usr/bin/python3")

HERE = Path(__file__).resolve().parent
CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FIGURES = 6
VIEWS = [("light", 375), ("light", 1280), ("dark", 375), ("dark", 1280)]
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><!--{{report}}"

SEEN = [  # computed from the fixture
    "hybrid ends lowest, with 1.997 bits per byte on validation data after 60 s, and was never behind. On held-out data all are below n-gram order 4. "
    "The last quarter of the time still brought it 0.021 bits per byte, so a larger budget should bring more. The first points lie above the chart.",
    "hybrid has the fewest bits per byte; the step of mamba2 is 1.6 times faster, for 0.033 bits per byte more. attention is behind mamba2 and hybrid "
    "in both. Lower and further left is better.",
    "From 256 to 65,536 bytes of context the time of a step grows by a factor of 9.6 with attention, 3.0 with hybrid and 1.0 with mamba2; the state "
    "grows by a factor of 256 with attention, 84 with hybrid and 1.0 with mamba2.",
    "mamba2 holds its level to the end of the window: 2.055 bits per byte at bytes 2,049 to 4,096. attention is best at bytes 257 to 512 (2.134) and "
    "0.215 worse at bytes 2,049 to 4,096, beyond the 512 bytes of its training. hybrid is best at bytes 257 to 512 (2.029) and 0.038 worse at bytes "
    "2,049 to 4,096, beyond the 512 bytes of its training. The first bytes cost more and are left out of the chart.",
    "A second copy 256 bytes after the first gains, in bits per byte: attention 1.395, hybrid 1.223 and mamba2 0.346. hybrid still gains 0.083 at 16,384 "
    "bytes. From 8,192 bytes on, the gain of attention cannot be told from none. From 2,048 bytes on, the gain of mamba2 cannot be told from none.",
    "Fillers that make the stream 4 times as long cost, in bits per real byte: mamba2 0.130, hybrid 0.130 and attention 0.273. The time for a real byte "
    "is then 4.0 times as much.",
]

# For each chart: how many pixels are not empty, and how many colours it has.
PIXELS = """return [...document.querySelectorAll(".panel canvas")].map(canvas => {
  const data = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  return {label: canvas.getAttribute("aria-label"), drawn: data.filter(p => p >>> 24).length, all: data.length, colours: new Set(data).size};
});"""


def fixture():
    return json.loads((HERE / "fixture.json").read_text())


def partial():
    """Stopped early: one candidate is done but was not measured, one failed, one has not begun."""
    report = fixture()
    report["complete"] = False
    report["recommendation"] = {"winner": "mamba2", "decided_by": "quality", "sentences": ["On fixture.txt, mamba2 costs 2.050 bits per byte; "
                                "there is no other candidate to weigh it against."]}
    done, failed, waiting = report["candidates"]
    for key in ("by_position", "recall", "noise", "contexts", "memory", "difference", "speed"):
        done.pop(key)
    keep = ("name", "config", "layers", "parameters")
    report["candidates"] = [done, {**{k: failed[k] for k in keep}, "status": "failed", "error": "[attention] layers.2.mixer: inf"},
                            {**{k: waiting[k] for k in keep}, "status": "stopped"}]
    return report


def empty():
    """Stopped before anything was done."""
    report = fixture()
    report.update(complete=False, baselines=[], candidates=[], notes=[], recommendation={"decided_by": "nothing", "sentences": []})
    return report


def hostile():
    report = fixture()
    report["data"]["name"] = report["command"] = report["machine"]["cpu"] = HOSTILE
    for i, candidate in enumerate(report["candidates"]):
        candidate["name"] = HOSTILE + "x" * 60 * i
        candidate["layers"] = candidate["config"] = HOSTILE
    report["recommendation"].update(winner=HOSTILE, sentences=[HOSTILE])
    report["baselines"].append({"name": "__proto__", "bits_per_byte": 3})
    report["notes"].append(HOSTILE)
    report["settings"][HOSTILE] = HOSTILE
    return report


def many():
    """More candidates than colours, with extreme figures."""
    report = fixture()
    for i in range(8):
        more = copy.deepcopy(report["candidates"][i % 3])
        more.update(name=f"candidate-{i}", bits_per_byte=more["bits_per_byte"] + 0.01 * i)
        for point in more["curve"]:
            point["bits_per_byte"] += 0.01 * i
        more.setdefault("difference", {"from": "hybrid", "bits_per_byte": 0.01 * i, "standard_error": 0.01})
        report["candidates"].append(more)
    report["candidates"][-1]["contexts"][0].update(step_seconds=0, state_bytes=0)
    report["candidates"][-1]["noise"] = [{"growth": 1, "bits_per_byte": 0}]
    report["candidates"][-2]["recall"] = [{"distance": 256, "gain": -0.5, "standard_error": 0}]
    report["candidates"][-3]["curve"] = report["candidates"][-3]["curve"][:1]
    return report


def risen():
    """Every curve is lowest half way."""
    report = fixture()
    for candidate in report["candidates"]:
        half = len(candidate["curve"]) // 2
        for i, point in enumerate(candidate["curve"][half:]):
            point["bits_per_byte"] = candidate["curve"][half]["bits_per_byte"] + 0.01 * i
    return report


def flattered():
    """Held-out data cost much more than validation data; two candidates recall alike."""
    report = fixture()
    recall = {candidate["name"]: candidate["recall"] for candidate in report["candidates"]}
    recall["mamba2"][:] = recall["attention"]
    for candidate in report["candidates"]:
        candidate["bits_per_byte"] += 0.2
    return report


PAGES = {"full": fixture, "risen": risen, "flattered": flattered, "partial": partial, "empty": empty, "hostile": hostile, "many": many}


class PageTest(unittest.TestCase):
    program = folder = driver = None

    @classmethod
    def setUpClass(cls):
        for needed, package in ((CHROMIUM, "chromium"), (DRIVER, "chromium-driver")):
            if not needed.exists():
                raise RuntimeError(f"{needed} is missing: apt-get install {package}")
        for name, make in PAGES.items():
            (cls.folder / name).mkdir(parents=True, exist_ok=True)
            (cls.folder / name / "report.json").write_text(json.dumps(make()))
            subprocess.run([cls.program, "report", str(cls.folder / name)], check=True, stdout=subprocess.DEVNULL)
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"):  # no sandbox: as root
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        cls.driver = webdriver.Chrome(service=Service(str(DRIVER)), options=options)

    @classmethod
    def tearDownClass(cls):
        if cls.driver:
            cls.driver.quit()

    def open(self, name, scheme, width):
        self.driver.get("about:blank")
        self.driver.get_log("browser"), self.driver.get_log("performance")
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
        self.driver.get((self.folder / name / "report.html").as_uri())
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def screenshot(self, name, scheme, width):
        height = self.driver.execute_script("return document.documentElement.scrollHeight")
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True,
                                           "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}})
        (self.folder / f"{name}-{scheme}-{width}.png").write_bytes(base64.b64decode(shot["data"]))

    def requests(self):
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def check_charts(self, name):
        for chart in self.driver.execute_script(PIXELS):
            self.assertGreater(chart["drawn"], 0.005 * chart["all"], chart["label"])
            self.assertLess(chart["drawn"], chart["all"], chart["label"])
            self.assertGreater(chart["colours"], 10, chart["label"])
            self.assertRegex(chart["label"], r"^\w.* against .*\. \S", name)

    def test_pages(self):
        for name in PAGES:
            for scheme, width in VIEWS if name == "full" else VIEWS[1:3]:
                with self.subTest(page=name, scheme=scheme, width=width):
                    self.open(name, scheme, width)
                    self.screenshot(name, scheme, width)
                    self.assertEqual(self.driver.get_log("browser"), [])
                    urls = self.requests()
                    self.assertTrue(urls)
                    self.assertEqual([u for u in urls if not u.startswith(("file://", "data:"))], [])
                    self.check_charts(name)
                    self.assertLessEqual(self.driver.execute_script("return document.documentElement.scrollWidth"), width)

    def text(self, selector):
        return [e.text for e in self.driver.find_elements("css selector", selector)]

    def test_what_the_pages_say(self):
        self.open("full", "light", 1280)
        self.assertEqual(len(self.text(".figure")), FIGURES)
        self.assertEqual(len(self.text(".figure .see")), FIGURES)
        self.assertEqual(len(self.driver.find_elements("css selector", ".figure details table")), FIGURES)
        self.assertEqual(self.text(".banner"), [])
        self.assertEqual(self.text(".results .winner th"), ["hybrid\nrecommended"])
        self.assertEqual(self.text(".see"), SEEN)
        self.open("risen", "light", 1280)
        self.assertIn("more time alone would not bring more", self.text(".see")[0])
        self.assertNotIn("a larger budget", self.text(".see")[0])
        self.open("flattered", "light", 1280)
        self.assertIn("On held-out data hybrid costs 2.218, 0.221 more: validation data lie among the training data, which flatters a model. The last "
                      "quarter of the time still brought it 0.021 bits per byte, so a larger budget may bring more.", self.text(".see")[0])
        self.assertRegex(self.text(".see")[4], "From 8,192 bytes on, the gain of (attention and mamba2|mamba2 and attention) cannot be told from none.$")
        self.open("partial", "light", 1280)
        self.assertEqual(len(self.text(".banner")), 1)
        self.assertIn("Not measured: attention and hybrid.", self.text(".missing"))
        self.assertIn("attention failed: [attention] layers.2.mixer: inf", self.text(".failed"))
        self.open("empty", "light", 1280)
        self.assertEqual(len(self.text(".figure .missing")), FIGURES)

    def test_nothing_from_the_report_is_markup(self):
        self.open("hostile", "light", 1280)
        self.assertEqual(self.driver.title, HOSTILE + ": which model fits")
        self.assertEqual(self.text("h1"), [HOSTILE])
        self.assertEqual(self.driver.find_elements("css selector", "img"), [])
        self.assertEqual(len(self.driver.find_elements("css selector", "script")), 3)

    def test_printing(self):
        self.open("full", "dark", 1280)
        pdf = base64.b64decode(self.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False, "preferCSSPageSize": True, "paperWidth": 8.27,
                                                                               "paperHeight": 11.69})["data"])
        (self.folder / "full.pdf").write_bytes(pdf)
        self.assertTrue(pdf.startswith(b"%PDF"))
        self.assertEqual(self.driver.get_log("browser"), [])


if __name__ == "__main__":
    program, folder = sys.argv.pop(1), Path(sys.argv.pop(1)).resolve()
    PageTest.program, PageTest.folder = program, folder
    unittest.main()
