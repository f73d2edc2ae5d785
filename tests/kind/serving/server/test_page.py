"""The page at `/`, in a real Chromium without a screen."""

import re
import time
import urllib.request
import zipfile

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A dark photograph that is larger than what the page shows."""
    from skimage.data import astronaut

    path = tmp_path_factory.mktemp("photograph") / "night sky.png"
    pixels = np.kron(astronaut() // 5, np.ones((3, 3, 1), np.uint8))[:1200]
    Image.fromarray(pixels).save(path)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Camera", 1
    Image.fromarray(pixels).save(path.with_suffix(".jpg"), exif=exif)
    return path


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("waited too long")


class Page:
    """The page, as somebody sees and uses it."""

    def __init__(self, browser, port):
        self.browser = browser
        browser.get(f"http://127.0.0.1:{port}/")
        wait_for(lambda: self.text("status").startswith("Ready"))

    def at(self, name):
        return self.browser.find_element("id", name)

    def text(self, name):
        return self.at(name).get_attribute("textContent")

    def open(self, path):
        self.at("file").send_keys(str(path))
        wait_for(lambda: self.text("status").startswith("Relit"))

    def level(self, name):
        """The mean grey level of a picture, 0 to 255; None while it has none."""
        return self.browser.execute_script(
            """const image = document.getElementById(arguments[0]);
            if (!image.naturalWidth) return null;
            const canvas = document.createElement("canvas");
            canvas.width = canvas.height = 16;
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0, 16, 16);
            const data = context.getImageData(0, 0, 16, 16).data;
            return data.filter((_, i) => i % 4 < 3).reduce((sum, value) => sum + value, 0) / 768;""",
            name,
        )

    def set(self, name, value):
        """Moves a slider as a hand does: many inputs, one change."""
        self.browser.execute_script(
            """const slider = document.getElementById(arguments[0]);
            slider.value = arguments[1];
            slider.dispatchEvent(new Event("input"));
            slider.dispatchEvent(new Event("change"));""",
            name,
            value,
        )

    def complaints(self):
        """Errors in the browser's console."""
        return [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def server(running, saved_brightener, tmp_path_factory):
    from kind.serving.server.app import Settings
    from kind.serving.server.version_folders import ModelConfig

    folder = tmp_path_factory.mktemp("served") / "kind"
    folder.mkdir()
    (folder / "1").symlink_to(saved_brightener)
    with running(Settings((ModelConfig("kind", folder),), rest_port=0, grpc_port=0)) as started:
        yield started


@pytest.fixture
def page(browser, server):
    page = Page(browser, server.rest_port)
    yield page
    assert page.complaints() == []
    browser.get("about:blank")  # what it is still asking for must not meet a server that is gone
    page.complaints()


def test_a_photograph_is_shown_with_its_parts_and_boxes(page, photograph):
    page.open(photograph)
    assert page.at("after").size["width"] > 300
    before, after = page.level("before"), wait_for(lambda: page.level("after"))
    assert after == pytest.approx(2 * before, rel=0.05)  # the α that the model chose
    assert page.text("alpha-value") == "2.0" and page.at("alpha").get_attribute("value") == "2"
    assert wait_for(lambda: page.level("part-reflectance")) > before
    assert wait_for(lambda: page.level("part-illumination")) == pytest.approx(before, abs=4)
    found = wait_for(lambda: page.browser.find_elements("css selector", "#found-list li"))
    assert [item.text for item in found] == ["spot 75 %"]
    (box,) = page.browser.find_elements("class name", "box")
    assert not box.is_displayed()  # until it is asked for
    page.at("show-boxes").click()
    assert box.size["width"] == pytest.approx(page.at("stage").size["width"], abs=3)
    (label,) = page.browser.find_elements("class name", "label")
    inside = page.browser.execute_script(
        """const [inner, outer] = [arguments[0], arguments[1]].map((each) => each.getBoundingClientRect());
        return inner.top >= outer.top && inner.left >= outer.left && inner.right <= outer.right;""",
        label,
        page.at("stage"),
    )
    assert label.text == "spot 75 %" and inside


def test_the_latest_alpha_wins(page, photograph):
    page.open(photograph)
    bright = wait_for(lambda: page.level("after"))
    for value in (9, 3, 8, 1):
        page.set("alpha", value)
    assert page.text("alpha-value") == "1.0"
    wait_for(lambda: page.text("status") == "Relit with α 1.0")
    assert page.level("after") == pytest.approx(page.level("before"), abs=3) != bright
    page.at("alpha").send_keys("\ue014")  # the right arrow key
    wait_for(lambda: page.text("status") == "Relit with α 1.1")
    page.at("suggested").click()
    wait_for(lambda: page.text("status") == "Relit with α 2.0")
    assert not page.at("suggested").is_displayed()


def test_a_brightness_is_asked_for_in_place_of_alpha(page, photograph):
    page.open(photograph)
    assert page.text("brightness-value") == "free"
    page.set("brightness", 0.3)
    wait_for(lambda: page.level("after") == pytest.approx(0.3 * 255, abs=4))
    assert page.text("brightness-value") == "0.30" and page.at("suggested").is_displayed()
    page.set("alpha", 1)
    wait_for(lambda: page.text("status") == "Relit with α 1.0")
    assert page.text("brightness-value") == "free"


def test_boxes_are_shown_although_alpha_was_moved_meanwhile(page, photograph):
    page.at("file").send_keys(str(photograph))
    wait_for(lambda: page.text("size-hint"))
    page.set("alpha", 1)  # before the model has answered, or right after
    wait_for(lambda: page.text("status") == "Relit with α 1.0")
    wait_for(lambda: page.browser.find_elements("css selector", "#found-list li"))
    assert page.level("after") == pytest.approx(page.level("before"), abs=3)


def test_before_and_after_are_compared(page, photograph):
    page.open(photograph)

    def clip():
        return page.at("after-layer").value_of_css_property("clip-path")

    page.set("split", 20)
    assert "20%" in clip() and page.text("split-value") == "20 %"
    page.at("split").send_keys("\ue010")  # End
    assert page.text("split-value") == "100 %"


def test_the_whole_photograph_is_downloaded(page, photograph):
    photograph = photograph.with_suffix(".jpg")  # with what a camera writes
    page.open(photograph)
    assert "1536 × 1200" in page.text("size-hint")
    page.at("download").click()
    path = wait_for(lambda: next(page.browser.downloads.glob("night sky-relit.jpg"), None))
    wait_for(lambda: page.text("status").startswith("Saved"))
    wait_for(lambda: path.stat().st_size > 1000)
    with Image.open(path) as saved:
        assert saved.size == (1536, 1200) and saved.format == "JPEG"
        assert saved.getexif() == {0x010F: "Camera", 0x0112: 1}
    path.unlink()


def test_several_are_downloaded_in_one_zip(page, photograph, tmp_path):
    (tmp_path / "night sky.png").write_bytes(photograph.read_bytes())
    (tmp_path / "notes.jpg").write_text("hello")
    page.at("file").send_keys(
        "\n".join(map(str, (photograph, tmp_path / "night sky.png", tmp_path / "notes.jpg")))
    )
    wait_for(lambda: page.text("status").startswith("Relit"))
    page.at("download-all").click()
    path = wait_for(lambda: next(page.browser.downloads.glob("relit.zip"), None))
    wait_for(lambda: "2 of 3" in page.text("status"))
    assert "notes.jpg" in page.text("error")
    with zipfile.ZipFile(path) as archive:
        assert (
            archive.namelist() == ["night sky-relit.png", "2-night sky-relit.png"] and not archive.testzip()
        )
        with archive.open("night sky-relit.png") as file, Image.open(file) as saved:
            assert saved.size == (1536, 1200)
    path.unlink()


def test_an_example_is_shown_at_100_percent(page):
    page.browser.find_element("css selector", "#examples button[value=coffee]").click()
    wait_for(lambda: page.text("status").startswith("Relit"))
    page.at("zoom").click()
    wait_for(lambda: page.level("after") and "600px" in page.at("stage").get_attribute("style"))
    wait_for(lambda: page.text("status").startswith("Relit with"))
    assert page.browser.execute_script("return document.getElementById('after').naturalWidth") == 600


def test_labels_keep_apart_and_inside(page):
    frame, size = (300, 200), (120, 20)
    boxes = [
        [-5, -5, 40, 40],
        [0, 0, 50, 50],
        [10, 5, 60, 60],
        [280, 180, 310, 210],
        [270, 185, 300, 200],
    ] * 2
    boxes.append([0, 0, 4000, 4000])
    places = page.browser.execute_async_script(
        """const [boxes, size, frame, done] = arguments;
        import("/page/stage.js").then(({ placeLabels }) =>
          done(placeLabels(boxes, boxes.map(() => size), { width: frame[0], height: frame[1] })));""",
        boxes,
        size,
        frame,
    )
    shown = [place for place in places if place]
    assert len(shown) >= 6 and places[0] == [0, 0]
    for number, (x, y) in enumerate(shown):
        assert 0 <= x <= frame[0] - size[0] and 0 <= y <= frame[1] - size[1]
        for left, top in shown[:number]:
            assert abs(left - x) >= size[0] or abs(top - y) >= size[1]


def test_with_less_strength_the_photograph_shows_through(page, photograph, tmp_path):
    page.open(photograph)
    page.set("strength", 50)
    assert (
        page.text("strength-value") == "50 %" and page.at("after").value_of_css_property("opacity") == "0.5"
    )
    page.at("download").click()
    path = wait_for(lambda: next(page.browser.downloads.glob("night sky-relit.png"), None))
    wait_for(lambda: page.text("status").startswith("Saved"))
    with Image.open(path) as saved:
        level = np.asarray(saved.convert("RGB")).mean()
    assert level == pytest.approx((page.level("before") + page.level("after")) / 2, rel=0.05)
    path.unlink()
    page.set("strength", 100)


def test_a_photograph_beyond_the_limit_is_made_smaller(
    running, browser, model_folder, settings_for, photograph
):
    from kind.serving.limits import Limits

    with running(settings_for(model_folder, limits=Limits(pixels=1_200_000))) as server:
        page = Page(browser, server.rest_port)
        page.open(photograph)
        page.at("download").click()
        said = wait_for(lambda: page.text("status").startswith("Saved") and page.text("status"))
        width, height = (int(number) for number in said.split(", ")[1].split(" × "))
        assert 1_100_000 < width * height <= 1_200_000 and width / height == pytest.approx(
            1536 / 1200, abs=0.01
        )
        browser.get("about:blank")
    for path in browser.downloads.glob("*.png"):
        path.unlink()


def test_everything_has_a_name_and_can_be_reached_by_keyboard(page, photograph):
    from selenium.webdriver import ActionChains, Keys

    page.open(photograph)
    wait_for(lambda: page.at("download").is_enabled())
    page.browser.execute_script("document.activeElement.blur()")
    reached = []
    for _ in range(8):
        ActionChains(page.browser).send_keys(Keys.TAB).perform()
        active = page.browser.switch_to.active_element
        reached.append(active.get_attribute("id"))
        assert active.accessible_name, reached
    sliders = ["split", "alpha", "brightness", "strength"]
    assert reached == ["file", *sliders, "show-boxes", "zoom", "download"]
    for image in page.browser.find_elements("tag name", "img"):
        assert image.get_attribute("alt")
    assert (
        page.at("status").get_attribute("aria-live") == "polite" and page.at("status").aria_role == "status"
    )
    assert page.at("error").get_attribute("role") == "alert"


def test_what_cannot_be_read_is_said(page, photograph, tmp_path):
    (tmp_path / "notes.png").write_text("hello")
    whole = photograph.with_suffix(".jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:-5000])
    (tmp_path / "cut.png").write_bytes(photograph.read_bytes()[:-50])
    (tmp_path / "bad.jpg").write_bytes(whole[:4] + bytes(200) + b"\xff\xda  \xff\xd9")
    for name, text in (
        ("notes.png", "cannot read it"),
        *((name, "is damaged") for name in ("cut.jpg", "cut.png", "bad.jpg")),
    ):
        page.at("file").send_keys(str(tmp_path / name))
        wait_for(lambda: page.text("error").startswith(name))  # noqa: B023
        assert text in page.text("error"), page.text("error")
        assert not page.at("result").is_displayed()


def test_it_fits_light_and_dark_wide_and_narrow(page, photograph, tmp_path):
    browser = page.browser
    page.open(photograph)
    wait_for(lambda: browser.find_elements("css selector", "#found-list li"))
    try:
        for scheme, width in (("light", 1200), ("dark", 1200), ("dark", 420), ("light", 420)):
            emulated = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
            metrics = {"width": width, "height": 1100, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert browser.execute_script(overflow) == 0, (scheme, width)
            ground = browser.find_element("tag name", "body").value_of_css_property("background-color")
            levels = [int(number) for number in re.findall(r"\d+", ground)[:3]]
            assert (sum(levels) > 384) == (scheme == "light")
            assert browser.save_screenshot(str(tmp_path / f"{scheme}-{width}.png"))
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_models_are_switched(running, browser, saved_brightener, bare_model_folder, settings_for, photograph):
    from kind.serving.server.version_folders import ModelConfig

    models = (ModelConfig("kind", saved_brightener.parent), ModelConfig("bare", bare_model_folder))
    with running(settings_for(bare_model_folder, models=models)) as server:
        page = Page(browser, server.rest_port)
        page.open(photograph)
        wait_for(page.at("part-reflectance").is_displayed)
        page.at("model").send_keys("bare")
        wait_for(lambda: not page.at("figure-reflectance").is_displayed())
        wait_for(lambda: page.text("status").startswith("Relit") and page.level("after"))
        assert page.complaints() == []
        browser.get("about:blank")


def test_without_a_detector_there_are_no_boxes(running, browser, bare_model_folder, settings_for, photograph):
    with running(settings_for(bare_model_folder)) as server:
        page = Page(browser, server.rest_port)
        page.open(photograph)
        assert wait_for(lambda: page.level("after")) > page.level("before")
        for name in ("boxes-control", "found", "figure-reflectance", "changes"):
            assert not page.at(name).is_displayed()
        assert page.complaints() == []


def test_two_photographs_are_compared(running, browser, comparing_folder, settings_for, photograph, tmp_path):
    later, other = tmp_path / "later.png", tmp_path / "other.png"
    pixels = np.asarray(Image.open(photograph)).copy()
    pixels[300:600, 600:900] = 255
    Image.fromarray(pixels).save(later)
    Image.fromarray(pixels[:600]).save(other)
    with running(settings_for(comparing_folder)) as server:
        page = Page(browser, server.rest_port)
        page.open(photograph)
        assert not page.at("changed").is_displayed()
        page.at("second").send_keys(str(later))
        wait_for(page.at("changed").is_displayed)
        (text,) = [item.text for item in browser.find_elements("css selector", "#changes-list li")]
        assert int(text.split()[0]) == pytest.approx(90_000 * (1024 / 1536) ** 2, rel=0.02)
        yellow = """const canvas = document.getElementById(arguments[0]);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let [count, left, right] = [0, canvas.width, 0];
            for (let i = 0; i < data.length; i += 4)
              if (data[i] === 255 && data[i + 1] === 214 && data[i + 2] === 10) {
                count++;
                left = Math.min(left, (i / 4) % canvas.width);
                right = Math.max(right, (i / 4) % canvas.width);
              }
            return [count, left / canvas.width, right / canvas.width];"""
        for name in ("changed-before", "changed-after"):
            count, left, right = browser.execute_script(yellow, name)
            assert 1000 < count < 10_000
            assert [left, right] == pytest.approx([600 / 1536, 900 / 1536], abs=0.01)
        page.at("second").send_keys(str(other))
        wait_for(page.at("error").is_displayed)
        assert "another shape" in page.text("error")
        page.open(photograph)
        assert not page.at("changed").is_displayed()
        assert page.complaints() == []
        browser.get("about:blank")


def test_the_page_loads_nothing_from_elsewhere(server):
    address = f"http://127.0.0.1:{server.rest_port}"
    for path in (
        "/",
        "/page/style.css",
        "/page/app.js",
        "/page/server.js",
        "/page/stage.js",
        "/page/files.js",
        "/page/changes.js",
    ):
        with urllib.request.urlopen(address + path, timeout=10) as answer:
            text = answer.read().decode()
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "://" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
