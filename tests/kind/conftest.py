"""A browser, and how long a call computes."""

import shutil
import time

import pytest

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium without a screen; `downloads` is the folder that it saves to."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs chromium and chromedriver on the path (Debian: chromium, chromium-driver)")
    folder = tmp_path_factory.mktemp("chromium")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={folder}", "--window-size=1200,1100"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    started.downloads = folder
    yield started
    started.quit()


@pytest.fixture(scope="session")
def computing_seconds():
    """Seconds that this thread computes in a call, the least of three: Python may free garbage in one."""

    def least(call, *arguments):
        seconds = []
        for _ in range(3):
            start = time.thread_time()
            call(*arguments)
            seconds.append(time.thread_time() - start)
        return min(seconds)

    return least
