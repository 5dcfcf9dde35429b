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
import random
import shutil
import signal
import sqlite3
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


def channels(program, work):
    """A small database of sessions and conversions, attributed; one channel's name is markup."""
    path = work / "channels.db"
    dice = random.Random(5)
    names = {"Paid Search": 0.9, "Newsletter": 0.05, "Social": 0.6, "Display": 1.4, "Direct": 0.0, "Referral & <b>bold</b>": 0.2}
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE session_sources (session_id TEXT, user_id TEXT, event_date TEXT, event_time TEXT, "
                         "channel_name TEXT, holder_engagement INTEGER, closer_engagement INTEGER, impression_interaction INTEGER)")
        database.execute("CREATE TABLE conversions (conv_id TEXT, user_id TEXT, conv_date TEXT, conv_time TEXT, revenue REAL)")
        database.execute("CREATE TABLE session_costs (session_id TEXT, cost REAL)")
        for user in range(900):
            days = sorted(dice.randint(1, 28) for _ in range(dice.randint(1, 6)))
            for i, day in enumerate(days):
                channel = dice.choices(list(names), weights=[5, 3, 4, 2, 4, 1])[0]
                database.execute("INSERT INTO session_sources VALUES (?, ?, ?, ?, ?, 1, 1, 0)",
                                 (f"s{user}-{i}", f"u{user}", f"2026-10-{day:02}", f"{dice.randint(0, 20):02}:00:00", channel))
                if names[channel]:
                    database.execute("INSERT INTO session_costs VALUES (?, ?)", (f"s{user}-{i}", names[channel] * dice.uniform(4, 9)))
            if dice.random() < 0.35:
                database.execute("INSERT INTO conversions VALUES (?, ?, ?, '21:00:00', ?)",
                                 (f"c{user}", f"u{user}", f"2026-10-{days[-1]:02}", round(dice.uniform(20, 90), 2)))
    subprocess.run([str(program), "attribute", "run", "--source", f"sqlite:{path}"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return path


def listening(process, out, beginning):
    """The address that a process says it listens at."""
    for _ in range(100):
        for line in out.read_text().splitlines():
            if line.startswith(beginning):
                return line.split()[-1]
        if process.poll() is not None:
            sys.exit("it ended:\n" + out.read_text())
        time.sleep(0.1)
    sys.exit("it did not say where it listens")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--impactiq", type=Path, default=REPOSITORY / ".build/release/impactiq")
    parser.add_argument("--screenshots", type=Path)
    arguments = parser.parse_args()
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
        from selenium.webdriver.common.by import By
        from selenium.webdriver.common.keys import Keys
        from selenium.webdriver.support.ui import WebDriverWait
    except ImportError:
        # Debian's Selenium belongs to Debian's Python, which need not be the first one.
        debian = "/usr/bin/python3"
        if os.environ.get("IMPACTIQ_PYTHON_TRIED") is None and os.path.exists(debian):
            os.environ["IMPACTIQ_PYTHON_TRIED"] = debian
            os.execv(debian, [debian, *sys.argv])
        skip("needs selenium (scripts/setup --browser)")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        skip("needs chromium and chromium-driver (scripts/setup --browser)")

    # Whatever hangs: the caller waits no longer than this.
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("test-browser: not done after 240 s"))
    signal.alarm(240)
    work = Path(tempfile.mkdtemp(prefix="impactiq-browser-"))
    out = (work / "demo.out").open("w+")
    serve = guarded = None
    demo = subprocess.Popen(
        [str(arguments.impactiq), "demo", "--listen", "127.0.0.1:0", "--rate", "2000", "--users", "2000"],
        stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    browser = None
    try:
        url = listening(demo, work / "demo.out", "Dashboard: ")
        with (work / "serve.out").open("w") as said:
            serve = subprocess.Popen(
                [str(arguments.impactiq), "serve", "--model", str(REPOSITORY / "examples/demo/demo.model"), "--listen",
                 "127.0.0.1:0", "--attribution", f"sqlite:{channels(arguments.impactiq, work)}"],
                stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        served = listening(serve, work / "serve.out", "serving ")
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={work}/profile",
                     "--window-size=1280,900"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=Service(driver))
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
        step("arrow keys show values", one("#decisions .tip").is_displayed() and "uncertain" in text("#decisions .tip"))

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
        until("what moves the score is drawn", lambda: every("#push .pushrow"))
        rows = [row.text for row in every("#push .pushrow")]
        step("base, others and sum stand beside the largest", rows[0].startswith("base") and any("others" in row for row in rows)
             and rows[-1].startswith("this person"))
        shown = [float(row.splitlines()[-1].split()[-1].replace("−", "-")) for row in rows]
        step("what is shown adds up", abs(sum(shown[:-1]) - shown[-1]) < 0.0001 * len(shown))
        one("#score a.button").click()

        # The simulator with that person.
        until("the simulator shows the effect", lambda: every("#result .effect"))
        step("the person came along", person in text("#result"))
        until("the effect by the feature in hand is drawn with its interval", lambda: every("#curve svg path.band, #curve svg line.whisker"))
        # At its two ends the feature that matters most makes two effects, whoever the person is.
        slider, effect = one("#fields input[type=range]"), lambda: one("#result .effect").get_attribute("data-uplift")
        slider.send_keys(Keys.END)
        right = slider.get_attribute("value")
        time.sleep(1)
        high = effect()
        slider.send_keys(Keys.HOME)
        step("the keyboard moves a slider", slider.get_attribute("value") != right)
        until("a moved slider moves the effect", lambda: effect() != high)
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
        until("the surface is drawn", lambda: len(every("#surface svg rect")) >= 50)

        # Without a pipeline: the typical person is the model's.
        def asked(path, body=None):
            request = urllib.request.Request(served + path, data=body and json.dumps(body).encode(), headers={"Content-Type": "application/json"})
            return json.load(urllib.request.urlopen(request))
        typical = {feature["name"]: feature["typical"] for feature in asked("/v1/model")["features"]}
        expected = asked("/v1/score", {"features": typical})["uplift"]
        browser.get(served + "/simulate")
        until("the typical person is the model's", lambda: every("#result .effect") and float(effect()) == expected)
        step("no number is cut off", browser.execute_script(
            "return [...document.querySelectorAll('input[type=number]')].every(one => one.scrollWidth <= one.clientWidth)"))
        def type_in(value):
            browser.execute_script("const one = document.querySelector('#fields input[type=number]'); one.value = arguments[0]; one.dispatchEvent(new Event('input'))", value)
        type_in("")
        until("a cleared field has no effect, and says why", lambda: not every("#result .effect") and "needs a number" in text("#result"))
        step("the link says it too", ":null" in urllib.parse.unquote(browser.current_url))
        type_in("1e9")
        until("a value beyond the training data is said", lambda: every("#result .effect") and "beyond the training data" in text("#result"))
        for scene in ("%7Bbroken", urllib.parse.quote(json.dumps({"a": {"nothing": 1}}))):
            browser.get("about:blank")
            browser.get(served + "/simulate#" + scene)
            until("a damaged link is said", lambda: "damaged" in text("#linked"))

        # A wrong token is said.
        (work / "token").write_text("0123456789abcdef")
        (work / "token").chmod(0o600)
        with (work / "guarded.out").open("w") as said:
            guarded = subprocess.Popen(
                [str(arguments.impactiq), "serve", "--model", str(REPOSITORY / "examples/demo/demo.model"), "--listen", "127.0.0.1:0",
                 "--token-file", str(work / "token")], stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        browser.get(listening(guarded, work / "guarded.out", "serving ") + "/")
        for words, given in (("asks for a token", "not-the-token-of-it"), ("is wrong", "0123456789abcdef")):
            until("a token is asked for: " + words, lambda: every("dialog") and words in text("dialog"))
            one("dialog input").send_keys(given)
            one("dialog button").click()
        until("the right token opens the page", lambda: not every("dialog") and "trees" in text("#facts"))

        # The API page.
        browser.get(url + "/docs")
        until("every route is listed", lambda: len(every("details.op")) >= 12)
        score = every("details.op")[0]
        score.find_element(By.TAG_NAME, "summary").click()
        score.find_element(By.CSS_SELECTOR, "button.primary").click()
        until("a route can be tried", lambda: "ci_lower" in score.text)

        # Attribution: what is not set is said; what is, is drawn, and a channel's name stays text.
        browser.get(url + "/attribution")
        until("a process without attribution says so", lambda: "attribution.store" in text("#notices"))
        browser.get(served + "/attribution")
        until("channels are listed", lambda: len(every("#channels tbody tr")) == 6)
        step("their bars and days are drawn", len(every("#credit svg rect")) == 6 and len(every("#days svg path.line")) == 2)
        step("a channel without cost has no ROAS", any("Direct" in row.text and row.text.endswith("–") for row in every("#channels tbody tr")))
        step("a channel's name stays text", "<b>bold</b>" in text("#channels") and not every("main b b, #channels b"))

        # Somebody is looked up by hand.
        browser.get(url + "/user")
        until("people are listed", lambda: every("#list tbody tr"))
        every("#id")[0].send_keys(person + "\n")
        until("a person is looked up by their id", lambda: text("#title") == person and "id=" in browser.current_url)

        # Texts of users and events stay text, in the address and in what the server says.
        hostile = "<img src=x onerror=\"document.title='owned'\">"
        browser.get(url + "/user?id=" + urllib.parse.quote(hostile))
        until("a hostile name is shown as it is", lambda: hostile in text("#title"))
        # A browser takes these out of a path, and a slash ends a segment.
        for name in (".", "..", "a/scores", "%2e"):
            browser.get(url + "/user?id=" + urllib.parse.quote(name, safe=""))
            until(f"a person named {name} is asked for", lambda: text("#title") == name and "no event of this user" in text("#notices"))
        scene = json.dumps({"a": {}, "name": hostile})
        browser.get(url + "/simulate#" + urllib.parse.quote(scene))
        until("a hostile scene is shown as it is", lambda: hostile in text("#result"))
        step("nothing of it ran", "owned" not in browser.title and not every("img"))

        if arguments.screenshots:
            arguments.screenshots.mkdir(parents=True, exist_ok=True)
            for name, path in (("dashboard", "/"), ("simulator", "/simulate"), ("attribution", "/attribution"), ("person", "/user?id=" + urllib.parse.quote(person)),
                               ("api", "/docs")):
                for scheme in ("light", "dark"):
                    for width in (1280, 390):
                        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
                            {"name": "prefers-color-scheme", "value": scheme}]})
                        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
                        browser.get((served if name == "attribution" else url) + path)
                        time.sleep(3)
                        step(f"{name} fits {width} px", browser.execute_script(
                            "return document.documentElement.scrollWidth") <= width)
                        step(f"the navigation of {name} fits {width} px", browser.execute_script(
                            "const nav = document.querySelector('nav'); return nav.scrollWidth <= nav.clientWidth"))
                        height = min(4_000, browser.execute_script("return document.documentElement.scrollHeight"))
                        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
                        time.sleep(0.5)
                        browser.save_screenshot(str(arguments.screenshots / f"{name}-{width}-{scheme}.png"))

        errors = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"
                  and "ERR_INTERNET_DISCONNECTED" not in entry["message"] and not any(f"status of {status}" in entry["message"] for status in (401, 404, 422))]
        step("no error on the console: " + "; ".join(errors[:3]), not errors)
        print(f"test-browser: {len(passed)} checks passed with {browser.capabilities['browserVersion']}")
    finally:
        if browser:
            browser.quit()
        for process in (demo, serve, guarded):
            if process is None:
                continue
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
        out.close()
    shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
