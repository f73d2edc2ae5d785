"""Animated GIF and WebP, in and out."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from kind.images.animation import (
    animation_frames,
    is_animation,
    open_animation,
    write_animation,
)
from kind.images.photo import ImageError

LENGTHS = [40, 100, 250, 70]


def frames(opacity=255):
    """Four frames, RGB and opacity, uint8 [24, 32, 4]; a square wanders."""
    made = np.zeros((4, 24, 32, 4), np.uint8)
    made[..., :3], made[..., 3] = (20, 40, 60), opacity
    for number in range(4):
        made[number, 8:16, 6 * number : 6 * number + 8] = (200, 100, 30, 255)
    return made


def write(path, pixels, **options):
    images = [
        Image.fromarray(frame).convert("RGBA" if pixels[..., 3].min() < 255 else "RGB") for frame in pixels
    ]
    images[0].save(path, save_all=True, append_images=images[1:], duration=LENGTHS, disposal=2, **options)
    return path


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize("loop, opacity", [(0, 255), (3, 255), (0, 0)])
def test_times_repetitions_and_opacity_stay(suffix, loop, opacity, tmp_path):
    options = {"lossless": True} if suffix == ".webp" else {}
    path = write(tmp_path / f"a{suffix}", frames(opacity), loop=loop, **options)
    assert is_animation(path)
    source = open_animation(path)
    assert source.lengths == tuple(LENGTHS) and source.size == (24, 32) and source.count == 4
    assert source.seconds(2) == 0.14 and float(source.rate) == pytest.approx(4 / 0.46)
    shown = [pixels for _, pixels in animation_frames(source)]
    assert all((seen[..., 3] == made[..., 3]).all() for seen, made in zip(shown, frames(opacity)))
    write_animation(tmp_path / f"b{suffix}", shown, source)
    result = open_animation(tmp_path / f"b{suffix}")
    assert result.lengths == source.lengths and result.loop == source.loop == loop
    for (_, seen), made in zip(animation_frames(result), frames(opacity)):
        assert (seen[..., 3] == made[..., 3]).all()
        visible = made[..., 3] > 0
        assert np.abs(seen[visible].astype(float) - made[visible]).mean() < 9
    assert [number for number, _ in animation_frames(result, 2)] == [2, 3]


def test_the_colour_profile_of_a_webp_stays(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = open_animation(write(tmp_path / "a.webp", frames(255), icc_profile=profile))
    write_animation(tmp_path / "b.webp", [pixels for _, pixels in animation_frames(source)], source)
    with Image.open(tmp_path / "b.webp") as image:
        assert image.info["icc_profile"] == profile


def test_a_gif_that_is_shown_once_stays_so(tmp_path):
    source = open_animation(write(tmp_path / "a.gif", frames()))
    write_animation(tmp_path / "b.gif", frames(), source)
    assert source.loop is None and open_animation(tmp_path / "b.gif").loop is None


def test_what_does_not_move_is_a_photograph(tmp_path):
    Image.fromarray(frames()[0]).convert("P").save(tmp_path / "one.gif")
    Image.fromarray(frames()[0]).save(tmp_path / "one.webp")
    (tmp_path / "none.gif").write_bytes(b"GIF89a")
    (tmp_path / "text.webp").write_text("no")
    names = ("one.gif", "one.webp", "none.gif", "text.webp", "missing.gif")
    assert not any(is_animation(tmp_path / name) for name in names)
    write(tmp_path / "a.gif", frames()).rename(tmp_path / "a.png")
    assert not is_animation(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_damage_and_size_are_named(suffix, tmp_path, monkeypatch):
    path = write(tmp_path / f"a{suffix}", frames())
    (tmp_path / f"cut{suffix}").write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ImageError, match="cut.*: damaged or incomplete"):
        open_animation(tmp_path / f"cut{suffix}")
    monkeypatch.setattr("kind.images.animation._MOST_PIXELS", 24 * 32 * 3)
    with pytest.raises(ImageError, match="megapixels"):
        open_animation(path)
