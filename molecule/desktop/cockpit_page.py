# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Logs in to Cockpit with a browser on a host. Needs Debian's chromium-driver and python3-selenium.

Argument: JSON with user and answers, the first of which is the password. Prints JSON with prompts, P for the page's own field and T for
one with the label of the token, and ran_as: the user that the page names after the login, empty if it says that it has failed.
"""

import json
import sys
import time

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

PAGE = "http://localhost:9090/"
SECONDS = 120


def started():
    options = Options()
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(option)
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    browser.set_page_load_timeout(SECONDS)
    return browser


def wait_for(found):
    deadline = time.monotonic() + SECONDS
    while not (seen := found()):
        if time.monotonic() > deadline:
            sys.exit("waited in vain")
        time.sleep(0.2)
    return seen


def shown(browser, name):
    """The element of this name, if the page shows it; the page is replaced while one looks."""
    try:
        element = browser.find_element(By.ID, name)
        return element if element.is_displayed() else None
    except WebDriverException:
        return None


def step(browser):
    """What the page has come to: asked, failed, or the user of the session."""
    if shown(browser, "conversation-input"):
        return "asked"
    if shown(browser, "error-group"):
        return "failed"
    name, at, _host = browser.title.rpartition(" ")[2].partition("@")
    return name if at else ""


def main():
    given = json.loads(sys.argv[1])
    password, *answers = given["answers"]
    browser = started()
    browser.get(PAGE)
    wait_for(lambda: shown(browser, "login-user-input")).send_keys(given["user"])
    shown(browser, "login-password-input").send_keys(password)
    shown(browser, "login-button").click()
    prompts, came_to = "P", wait_for(lambda: step(browser))
    while came_to == "asked":
        prompts += "T" if shown(browser, "conversation-prompt").text == "Verification code:" else "?"
        if not answers:
            break
        shown(browser, "conversation-input").send_keys(answers.pop(0))
        shown(browser, "login-button").click()
        came_to = wait_for(lambda: not shown(browser, "conversation-input") and step(browser))
    ran_as = "" if came_to in ("asked", "failed") else came_to
    print(json.dumps({"prompts": prompts, "ran_as": ran_as, "shown": [came_to, browser.title]}))
    browser.quit()


if __name__ == "__main__":
    main()
