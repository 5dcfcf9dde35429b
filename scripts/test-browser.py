#!/usr/bin/env python3
"""The pages in a real browser, while the demo runs: Debian's chromium, driven by PyPI's selenium.

    scripts/test-browser.py [--impactiq PROGRAM] [--screenshots DIR]

Starts 'impactiq demo' with its dashboard on a free port and looks at every page: the dashboard fills and survives a reload,
the stream comes back after the server was stopped for a while, a simulation moves the effect and its link restores the
scene, two people stand side by side, a person is found from the dashboard, a route is tried on the API page, texts from
events stay text, the keyboard reaches what the mouse does. No page may write an error to the console. With --screenshots
each page is drawn at two widths in both colour schemes. Says 'skipped: …' and ends well where browser or selenium lack.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def skip(why):
    print(f"skipped: test-browser {why}")
    sys.exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--impactiq", type=Path, default=REPOSITORY / ".build/release/impactiq")
    parser.add_argument("--screenshots", type=Path)
    arguments = parser.parse_args()
    try:
        from selenium import webdriver
        from selenium.webdriver.common.by import By
        from selenium.webdriver.common.keys import Keys
        from selenium.webdriver.support.ui import WebDriverWait
    except ImportError:
        skip("needs selenium (pip install selenium)")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        skip("needs chromium and chromium-driver (apt install chromium-driver)")

    work = Path(tempfile.mkdtemp(prefix="impactiq-browser-"))
    out = (work / "demo.out").open("w+")
    demo = subprocess.Popen(
        [str(arguments.impactiq), "demo", "--listen", "127.0.0.1:0", "--rate", "2000", "--users", "2000"],
        stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    browser = None
    try:
        url = None
        for _ in range(100):
            text = (work / "demo.out").read_text()
            if text.startswith("Dashboard: "):
                url = text.split("\n", 1)[0].removeprefix("Dashboard: ").strip()
                break
            if demo.poll() is not None:
                sys.exit("the demo ended:\n" + text)
            time.sleep(0.1)
        if not url:
            sys.exit("the demo did not say where its dashboard is")
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={work}/profile",
                     "--window-size=1280,900"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        wait = WebDriverWait(browser, 40)
        one = lambda selector: browser.find_element(By.CSS_SELECTOR, selector)
        every = lambda selector: browser.find_elements(By.CSS_SELECTOR, selector)
        text = lambda selector: one(selector).text
        passed = []

        def step(name, condition):
            if not condition:
                browser.save_screenshot(str(work / "failed.png"))
                sys.exit(f"test-browser: {name} failed; see {work}/failed.png")
            passed.append(name)

        def until(name, condition):
            try:
                wait.until(lambda _: condition())
            except Exception:
                step(name, False)
            passed.append(name)

        # The dashboard fills by itself.
        browser.get(url + "/")
        until("the stream is live", lambda: text("#state") == "live")
        until("the verdict speaks of scores", lambda: "scores so far" in text("#verdict"))
        until("curves are drawn", lambda: len(every("#decisions svg path.area")) == 3 and every("#latency svg path.line"))
        until("effects are drawn", lambda: len(every("#effects svg rect")) > 5)
        until("segments are drawn", lambda: len(every("#segments .segment")) >= 2)
        until("newest scores are listed", lambda: len(every("#newest tbody tr")) >= 5)
        until("dead letters show reasons", lambda: every("#letters details"))
        step("all partitions are ready", len(every("#partitions li.ready")) == 8)
        step("the model's card is there", "trees" in text("#facts"))

        # The last hour survives a reload.
        points = len(browser.execute_script("return live.rows"))
        browser.refresh()
        until("the history is there after a reload", lambda: len(browser.execute_script("return live.rows")) >= points > 0)

        # The keyboard walks along a chart.
        one("#decisions").send_keys(Keys.ARROW_LEFT)
        step("arrow keys show values", one("#decisions .tip").is_displayed() and "worth an ad" in text("#decisions .tip"))

        # A dropped connection: the page says so, and comes back by itself.
        browser.set_network_conditions(offline=True, latency=0, throughput=0)
        browser.execute_cdp_cmd("Network.enable", {})
        os.kill(demo.pid, signal.SIGSTOP)
        browser.execute_script("const s = performance.now(); while (performance.now() - s < 50);")
        browser.set_network_conditions(offline=False, latency=0, throughput=500 * 1024 * 1024)
        os.kill(demo.pid, signal.SIGCONT)
        until("the stream is back", lambda: text("#state") == "live")

        # From a score to its person.
        link = one("#newest tbody a")
        person = link.text
        link.click()
        until("the person's page shows features", lambda: len(every("#features tbody tr")) == 16)
        step("it is the person", text("#title") == person)
        until("what moves the score is drawn", lambda: every("#push .pushrow") or every("#push .empty"))
        one("#score a.button").click()

        # The simulator with that person.
        until("the simulator shows the effect", lambda: every("#result .effect"))
        step("the person came along", person in text("#result"))
        until("the curve has its band", lambda: every("#curve svg path.band"))
        before = one("#result .effect").get_attribute("data-uplift")
        slider = one("#fields input[type=range]")
        slider.send_keys(Keys.HOME)
        slider.send_keys(*[Keys.ARROW_RIGHT] * 20)
        until("a moved slider moves the effect", lambda: one("#result .effect").get_attribute("data-uplift") != before)
        browser.find_element(By.XPATH, "//button[text()='Compare two']").click()
        until("two people stand side by side", lambda: len(every("#result section")) == 2)
        slider = one("#fields input[type=range]")
        slider.send_keys(Keys.END)
        until("the second one differs", lambda: len({e.get_attribute("data-uplift") for e in every("#result .effect")}) == 2)
        time.sleep(1)
        scene, effects = browser.current_url, [e.get_attribute("data-uplift") for e in every("#result .effect")]
        browser.get("about:blank")
        browser.get(scene)
        until("a link restores the scene", lambda: [e.get_attribute("data-uplift") for e in every("#result .effect")] == effects)
        browser.execute_script("const s = document.querySelector('#second'); s.selectedIndex = 2; s.dispatchEvent(new Event('change'))")
        until("the surface is drawn", lambda: len(every("#surface svg rect")) > 50)

        # The API page.
        browser.get(url + "/docs")
        until("every route is listed", lambda: len(every("details.op")) >= 12)
        score = every("details.op")[0]
        score.find_element(By.TAG_NAME, "summary").click()
        score.find_element(By.CSS_SELECTOR, "button.primary").click()
        until("a route can be tried", lambda: "ci_lower" in score.text)

        # Texts of users and events stay text, in the address and in what the server says.
        hostile = "<img src=x onerror=\"document.title='owned'\">"
        browser.get(url + "/user?id=" + urllib.parse.quote(hostile))
        until("a hostile name is shown as it is", lambda: hostile in text("#title"))
        scene = json.dumps({"a": {}, "name": hostile})
        browser.get(url + "/simulate#" + urllib.parse.quote(scene))
        until("a hostile scene is shown as it is", lambda: hostile in text("#result"))
        step("nothing of it ran", "owned" not in browser.title and not every("img"))

        if arguments.screenshots:
            arguments.screenshots.mkdir(parents=True, exist_ok=True)
            for name, path in (("dashboard", "/"), ("simulator", "/simulate"), ("person", "/user?id=" + urllib.parse.quote(person)),
                               ("api", "/docs")):
                for scheme in ("light", "dark"):
                    for width in (1280, 390):
                        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
                            {"name": "prefers-color-scheme", "value": scheme}]})
                        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
                        browser.get(url + path)
                        time.sleep(3)
                        step(f"{name} fits {width} px", browser.execute_script(
                            "return document.documentElement.scrollWidth") <= width)
                        height = min(4_000, browser.execute_script("return document.documentElement.scrollHeight"))
                        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
                        time.sleep(0.5)
                        browser.save_screenshot(str(arguments.screenshots / f"{name}-{width}-{scheme}.png"))

        errors = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"
                  and "ERR_INTERNET_DISCONNECTED" not in entry["message"] and "status of 404" not in entry["message"]]
        step("no error on the console: " + "; ".join(errors[:3]), not errors)
        print(f"test-browser: {len(passed)} checks passed with {browser.capabilities['browserVersion']}")
    finally:
        if browser:
            browser.quit()
        demo.send_signal(signal.SIGTERM)
        try:
            demo.wait(timeout=20)
        except subprocess.TimeoutExpired:
            demo.kill()
        out.close()
    shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
