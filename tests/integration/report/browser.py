# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser without a window, as the tests of the dashboard use it: Debian's Chromium, which tests/lab/up installs."""

from __future__ import annotations

import base64
import json
import shutil
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

DESKTOP, PHONE = (1400, 1000), (390, 844)


class Browser:
    """One Chromium for many pages; `open` gives each a fresh start."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = _found("chromium")
        # Tests run as root and in containers, where Chromium's own sandbox is not to be had.
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(argument)
        options.add_argument("--hide-scrollbars")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(_found("chromedriver")))

    def open(self, path, size=DESKTOP, dark=False, still=False, fragment="", keep=False):
        """Load a file. keep: what a page has remembered stays, as it does for a person who comes back."""
        self.resize(size)
        self.prefer(dark, still)
        url = f"file://{path}"
        if not keep:
            self.driver.get(url)
            self.run("localStorage.clear(); sessionStorage.clear(); history.replaceState(null, '', location.pathname);")
        self.driver.get_log("browser")
        self.driver.get("about:blank")
        self.driver.get_log("performance")
        self.driver.get(url + fragment)
        return self

    def resize(self, size):
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, dark=False, still=False):
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def texts(self, selector):
        """The texts of the elements that can be seen."""
        script = "e => e.checkVisibility() && !e.closest('[hidden]')).map(e => e.innerText.trim())"
        return self.run(f"return [...document.querySelectorAll(arguments[0])].filter({script}", selector)

    def count(self, selector):
        return len(self.texts(selector))

    def click(self, selector):
        self.run("document.querySelector(arguments[0]).click()", selector)

    def choose(self, selector, value):
        """Type or choose, as a person does: the page hears of it."""
        script = "const e = document.querySelector(arguments[0]); e.value = arguments[1];"
        self.run(script + "e.dispatchEvent(new Event('input', {bubbles: true}));", selector, value)
        self.run("document.querySelector(arguments[0]).dispatchEvent(new Event('change', {bubbles: true}))", selector)

    def press(self, *keys):
        """Press keys where the focus is."""
        codes = {"Tab": 9, "Enter": 13, "Space": 32, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35}
        for key in keys:
            text = {"Enter": "\r", "Space": " "}.get(key, "")
            event = {"key": " " if key == "Space" else key, "code": key, "windowsVirtualKeyCode": codes[key]}
            self.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyDown", "text": text, **event})
            self.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    def complaints(self):
        """What the browser has to say against the page: errors of scripts, what its policy forbids."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """What the page has asked for, but itself and what it brings along."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
        return [
            url for url in urls if not url.startswith(("data:", "about:")) and not url.split("#")[0].endswith(".html")
        ]

    def screenshot(self, path):
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {})
        path.write_bytes(base64.b64decode(picture["data"]))

    def eventually(self, script, seconds=15):
        """Wait until a script returns something true, and return that."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.run(script)
            if answer:
                return answer
            if time.monotonic() > deadline:
                raise AssertionError(f"did not come to hold within {seconds} s: {script}")
            time.sleep(0.05)

    def close(self):
        self.driver.quit()


def _found(program):
    path = shutil.which(program)
    if path is None:
        raise RuntimeError(f"There is no {program} on this machine: run tests/lab/up, which installs it.")
    return path
