"""Frames are enhanced like photographs, with statistics that are given."""

import numpy as np
import pytest

from kind.enhancing.enhancer import Enhancer
from kind.enhancing.frames import FrameEnhancer
from kind.enhancing.tiling import plan

VARIANTS = ["lite", pytest.param("kind", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=VARIANTS)
def enhancer(request, untrained_weights):
    return Enhancer.load(untrained_weights, variant=request.param)


def dark(height, width):
    return np.random.default_rng(0).integers(0, 60, (height, width, 3), dtype=np.uint8)


def test_its_own_statistics_give_what_the_photograph_gives_and_others_something_else(enhancer):
    frame, enhance = dark(48, 64), FrameEnhancer(enhancer)
    statistics = enhance.statistics(frame)
    relit, used = enhance(frame, statistics)
    expected = enhancer(frame, parts=("relit",), levels=True)
    assert relit.dtype == np.uint8 and relit.shape == frame.shape
    assert np.abs(relit.astype(int) - expected.relit).max() <= 1 and used == pytest.approx(expected.alpha)
    others = (statistics[0] + 1, *statistics[1:])  # a stop of light, or a darker black
    assert np.abs(enhance(frame, others)[0].astype(int) - relit).max() > 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_suggested_light_is_that_of_a_whole_photograph(enhancer, dtype):
    frame = dark(480, 640).astype(dtype) * (np.iinfo(dtype).max // 255)
    frame[:240] //= 9
    assert enhancer.suggested_alpha(frame) == pytest.approx(float(enhancer(frame).alpha), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"strength": 0.5}, {"alpha": 3.0, "fusion": "published"}])
def test_settings_are_those_of_photographs(settings, enhancer):
    frame, enhance = dark(48, 64), FrameEnhancer(enhancer, **settings)
    relit, used = enhance(frame, enhance.statistics(frame))
    expected = enhancer(frame, parts=("relit",), levels=True, **settings)
    assert np.abs(relit.astype(int) - expected.relit).max() <= 1 and used == pytest.approx(expected.alpha)


@pytest.mark.slow
def test_tiles_give_the_same(enhancer, monkeypatch):
    large, enhance = dark(200, 360), FrameEnhancer(enhancer, part="restored")
    statistics = enhance.statistics(large)
    whole, alpha = enhance(large, statistics)
    monkeypatch.setattr(plan, "WORKING_MEMORY", enhancer.windows._bytes_per_pixel * 200 * 230)
    assert enhancer.needs_tiles(1, 200, 360)
    tiled, same = enhance(large, statistics)
    assert np.abs(tiled.astype(int) - whole).max() <= 1 and same == pytest.approx(alpha)
    for one, other in zip(enhance.statistics(large), statistics):
        assert one == pytest.approx(other, abs=1e-4, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("strength", [1.0, 0.7])
def test_brightness_is_asked_for_frame_by_frame(enhancer, strength):
    frame, enhance = dark(48, 64), FrameEnhancer(enhancer, brightness=0.4, strength=strength)
    alpha = enhancer.alpha_for_brightness(frame, 0.4, strength=strength)
    assert np.exp(enhance.statistics(frame)[-1]) == pytest.approx(alpha)
