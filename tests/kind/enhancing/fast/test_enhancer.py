import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import numpy as np
import pytest

from kind.errors import UserError

pytest.importorskip("openvino", reason="the extra fast is not installed")

from kind.enhancing.enhancer import Enhancer
from kind.enhancing.fast import calibration, enhancer
from kind.enhancing.fast.frames import FastFrames
from kind.enhancing.fast.kind import FastKind
from kind.enhancing.fast.lite import FastLite
from kind.enhancing.fast.loading import load_fast
from kind.nn import forking
from kind.video.making import worked

_REACH = 80  # pixels that the border reaches, but for nothing that can be seen


def dark(height=45, width=70):
    rows, columns = np.mgrid[:height, :width].astype(np.float32) / 70
    scene = np.stack([rows, columns, rows * columns], axis=-1) * 40
    noise = np.random.default_rng(0).normal(0, 2, scene.shape)
    return np.clip(np.rint(scene + noise), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module", params=[FastLite, FastKind])
def fast(request):
    return load_fast(variant=request.param.variant)


def test_shipped_ranges_belong_to_the_shipped_weights(fast):
    assert calibration.read_extremes(fast.ranges_file, fast.digest())


def test_one_image_and_a_batch(fast):
    single = fast(dark(), 3.0, levels=True)
    batch = fast(np.stack([dark(), dark()]), [3.0, np.nan], levels=True)
    assert single.relit.dtype == np.uint8 and single.relit.shape == (45, 70, 3)
    np.testing.assert_array_equal(single.relit, batch.relit[0])
    assert batch.alpha[1] == pytest.approx(2.0 ** fast.judged(dark()).stops, rel=1e-6)
    assert batch.alpha[1] == pytest.approx(fast.suggested_alpha(dark()), rel=1e-6)
    assert (batch.relit[1] != batch.relit[0]).any()


def test_alpha_one_gives_the_photograph_and_strength_blends(fast):
    image = dark()
    assert np.abs(fast(image, 1.0, levels=True).relit.astype(int) - image).max() <= 1
    np.testing.assert_array_equal(fast(image, 8.0, strength=0.0, levels=True).relit, image)
    assert fast(image, 0.0, levels=True).relit.max() <= 1


def test_threads_may_share_it(fast):
    images = [dark(32 + 8 * number, 60) for number in range(4)]
    alone = [fast(image, levels=True) for image in images]

    def enhance(number):
        return fast(images[number % len(images)], levels=True)

    with ThreadPoolExecutor(4) as threads:
        for number, made in enumerate(threads.map(enhance, range(80))):
            np.testing.assert_array_equal(made.relit, alone[number % len(images)].relit)


@pytest.mark.slow
def test_tiles_give_what_the_whole_gives(fast, monkeypatch):
    image = dark(20, 400)
    whole = fast(image, 6.0, levels=True).relit
    monkeypatch.setattr(type(fast), "plan", fast.plan._replace(pixels=64 * 320))
    seen = []
    tiled = fast(image, 6.0, levels=True, progress=lambda done, count: seen.append((done, count))).relit
    assert len(seen) > 1 and seen[-1] == (len(seen), len(seen))
    apart = np.abs(tiled.astype(int) - whole)  # where a value lies between two levels
    assert apart.max() <= 6 and apart.mean() < 0.1


@pytest.mark.parametrize("fast", [FastLite, FastKind])
@pytest.mark.parametrize("height, width", [(1, 1), (1080, 1920), (2160, 3840), (500, 20000)])
def test_tiles_cover_the_image(fast, height, width):
    windows = enhancer.planned(height, width, fast.plan)
    area = sum((r.keep_stop - r.keep_start) * (c.keep_stop - c.keep_start) for r, c in windows)
    assert area == height * width
    for tile in {tile for window in windows for tile in window}:
        assert (
            tile.stop - tile.start
        ) % 32 == 0 and tile.start <= tile.keep_start <= tile.keep_stop <= tile.stop


@pytest.mark.parametrize("settings", [{"parts": ("restored",)}, {"fusion": "published"}])
def test_what_is_not_offered_is_refused(fast, settings):
    with pytest.raises(UserError, match="relit image alone"):
        fast(dark(), **settings)


def test_images_of_a_list_may_differ_in_type(fast):
    images = [dark(), dark().astype(np.uint16) * 257, np.float32(dark() / 255)]
    alone = fast(dark())
    for made in fast(images).relit:
        np.testing.assert_allclose(made, alone.relit, atol=0.02)
        assert np.abs(made - alone.relit).mean() < 1e-3


def test_lack_of_memory_is_named(fast, monkeypatch):
    monkeypatch.setattr(
        fast, "_run", Mock(side_effect=RuntimeError("x.cpp:1: Failed to allocate 9 bytes of memory"))
    )
    with pytest.raises(MemoryError, match="does not fit into memory"):
        fast(dark())
    monkeypatch.setattr(fast, "_run", Mock(side_effect=RuntimeError("something else")))
    with pytest.raises(RuntimeError, match="something else"):
        fast(dark())


def test_a_forked_child_is_refused(fast, monkeypatch):
    monkeypatch.setattr(forking, "_used_in", os.getpid() + 1)
    for use in (lambda: fast(dark()), lambda: load_fast(variant=fast.variant)):
        with pytest.raises(UserError, match="forked"):
            use()


def test_no_alpha_leaves_the_ranges():
    fast = load_fast(variant="lite")
    np.testing.assert_array_equal(fast(dark(), 1e9).relit, fast(dark(), 4096.0).relit)
    assert fast(dark(), 1e9).alpha == np.float32(1e9)


def test_compiled_models_are_bounded(fast, monkeypatch):
    monkeypatch.setattr(fast, "compiled", lambda model: Mock(return_value={"result": None}))
    monkeypatch.setattr(fast, "build", lambda *arguments: None)
    for number in range(20):
        fast._run((32 * number, 32, True, True, ()), {})
    assert len(fast._compiled) == enhancer._MOST_COMPILED
    fast._compiled.clear()
    fast._last = None


def test_frames_follow_given_statistics(fast):
    frames = FastFrames(fast)
    seen = frames.statistics(dark())
    made, alpha = frames(dark(), seen)
    np.testing.assert_array_equal(made, fast(dark(), levels=True).relit)
    brighter, more = frames(dark(), (*seen[:-2], seen[-2] + 1, seen[-1]))
    assert more == pytest.approx(2 * alpha, rel=1e-5)


def test_frames_at_the_same_time_are_those_one_after_another(monkeypatch):
    monkeypatch.setattr("kind.enhancing.fast.frames.processors", lambda: 3)
    fast = load_fast(variant="lite")
    frames = FastFrames(fast)
    assert frames.at_once == 3
    pictures = [dark() + np.uint8(number) for number in range(8)]
    steady = ((number, picture, frames.statistics(picture)) for number, picture in enumerate(pictures))
    made = list(worked(steady, frames))
    assert [number for number, *_ in made] == list(range(8))
    for picture, (_, relit, _) in zip(pictures, made):
        np.testing.assert_array_equal(relit, fast(picture, levels=True).relit)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [None, 0.5, 2.0, 30.0])
@pytest.mark.parametrize("fast", [FastLite, FastKind])
def test_float32_is_what_tensorflow_gives_and_int8_is_near(fast, alpha):
    image = dark(210, 290)
    expected = Enhancer.load(variant=fast.variant)(image, alpha, parts=("relit",))
    in_float = fast.from_files()(image, alpha)
    assert in_float.alpha == pytest.approx(float(expected.alpha), rel=1e-4)
    apart = np.abs(in_float.relit - expected.relit)
    assert apart[_REACH:-_REACH, _REACH:-_REACH].max() < 1e-4
    assert apart.max() < 0.03 and apart.mean() < 1e-3  # the mirrored border is another: a multiple of 32 here
    in_int8 = Enhancer.load(variant=fast.variant, precision="int8")(image, alpha).relit
    assert np.sqrt(np.mean((in_int8 - expected.relit) ** 2)) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("fast", [FastLite, FastKind])
def test_halo_is_that_of_the_networks(fast):
    slow = Enhancer.load(variant=fast.variant)
    plan = slow.tile_plan()
    assert (fast.plan.border, fast.plan.stride) == (slow.border, plan.stride)
    assert fast.plan.halo - plan.stride < plan.halo <= fast.plan.halo


@pytest.mark.slow
@pytest.mark.parametrize("fast", [FastLite, FastKind])
def test_other_weights_are_calibrated(fast):
    enhancer = fast.from_files()
    enhancer.calibrate()
    shipped = load_fast(variant=fast.variant).ranges
    for name, by in enhancer.ranges.items():
        np.testing.assert_allclose(by.scales, shipped[name].scales, rtol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["lite", "kind"])
def test_command_line_imports_no_tensorflow(tmp_path, variant):
    from kind.images.photo import write_photo

    source, out = tmp_path / "night.png", tmp_path / "out.png"
    write_photo(source, dark() / np.float32(255))
    arguments = ["enhance", str(source), "--out", str(out), "--variant", variant, "--precision", "int8"]
    code = (
        "import sys; from kind.__main__ import main; "
        f"sys.argv[1:] = {arguments!r}; "
        "code = main(); sys.exit(code or 10 * ('tensorflow' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and out.is_file()


def test_signals_are_safe_when_enhancers_are_gone():
    code = (
        "import os, signal, numpy, gc\n"
        "from kind.enhancing.fast.loading import load_fast\n"
        "first, second = load_fast(variant='lite'), load_fast(variant='lite')\n"
        "for one in first, second:\n"
        "    one(numpy.zeros((16, 16, 3), numpy.uint8), 2.0)\n"
        "del one\n"
        "del first\n"
        "gc.collect()\n"
        "del second\n"
        "gc.collect()\n"
        "signal.signal(signal.SIGTERM, lambda number, frame: print('handled'))\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n")


def test_nothing_is_reported_to_the_maker_of_the_engine(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "JENKINS_URL")}
    environment["HOME"] = str(tmp_path)
    subprocess.run([sys.executable, "-c", "import kind.enhancing.fast.enhancer"], env=environment, check=True)
    assert not list(tmp_path.iterdir())  # OpenVINO leaves a folder when it reports
