"""How far networks see, against perturbing their input; tiles, against the whole image."""

import numpy as np
import pytest
from tensorflow import keras

from kind.enhancing.three_networks import KindEnhancer
from kind.enhancing.tiling.plan import TilePlan, Windows
from kind.enhancing.tiling.receptive_field import (
    Span,
    UnboundedReceptiveField,
    needed_spans,
    stride,
    values_per_pixel,
)


def small_unet(levels=2):
    """A U-Net of few channels, with positive weights so that no influence is lost."""
    from kind.nn.layers import halve, up_and_join

    positive = keras.initializers.RandomUniform(0.1, 1.0, seed=1)

    def conv(values, size):
        return keras.layers.Conv2D(2, size, padding="same", kernel_initializer=positive)(values)

    image = keras.Input((None, None, 1))
    values, skips = image, []
    for level in range(levels):
        values = conv(values, 3)
        skips.append(values)
        values = halve(values, f"pool_{level}")
    values = conv(values, 3)
    for level in reversed(range(levels)):
        values = up_and_join(values, skips[level], 2, f"up_{level}")
        values = conv(values, 3)
    return keras.Model(image, values)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_the_span_holds_every_pixel_with_an_influence_and_ends_at_one(levels):
    net = small_unet(levels)
    for layer in net.layers:
        layer.set_weights([np.abs(weight) + 0.01 for weight in layer.get_weights()])
    step = stride(net)
    assert step == 2**levels
    tile = Span(16 * step, 20 * step - 1)
    (seen,) = needed_spans(net, [tile])
    image = np.random.default_rng(0).random((36 * step, 1, 1), dtype=np.float32)
    changed = np.stack([image] * (36 * step + 1))  # each with another pixel changed, the last with none
    pixels = np.arange(36 * step)
    changed[pixels, pixels] += 10  # large, so that it wins every maximum
    made = net(changed).numpy()[:, tile.first : tile.last + 1]
    found = np.flatnonzero((made[:-1] != made[-1:]).any(axis=(1, 2, 3)))
    assert (seen.first, seen.last) == (found[0], found[-1])


def test_the_published_networks_see_as_far_as_their_layers_say():
    from kind.decom.model import decomposition_net
    from kind.illumination.model import adjustment_net
    from kind.restoration.unet import unet

    tile = Span(0, 63)
    assert needed_spans(adjustment_net(), [tile]) == [Span(-4, 67)] * 2
    assert (stride(decomposition_net()), stride(unet()), stride(adjustment_net())) == (4, 16, 1)
    # Three 3×3 convolutions at full resolution, and two or four at each of four coarser ones.
    assert needed_spans(unet(), [tile]) == [Span(-94, 63 + 94)] * 2
    assert values_per_pixel(adjustment_net()) == 64


def test_layers_that_may_see_everything_are_refused():
    image = keras.Input((None, None, 3))
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True)(image)
    net = keras.Model(image, keras.layers.Multiply()([image, mean]))
    for look in (stride, values_per_pixel, lambda net: needed_spans(net, [Span(0, 7)])):
        with pytest.raises(UnboundedReceptiveField, match="GlobalAveragePooling2D"):
            look(net)
    strided = keras.Model(image, keras.layers.Conv2D(1, 3, strides=2, padding="same")(image))
    with pytest.raises(UnboundedReceptiveField, match="Conv2D"):
        stride(strided)


def test_networks_that_may_see_everything_get_the_whole_image():
    image, light = keras.Input((None, None, 3)), keras.Input((None, None, 1))
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True)(image)
    decom = keras.Model(image, [image * mean, image[..., :1]])
    plane = keras.Input((None, None, 1))
    same = keras.Model([image, light], keras.layers.Activation("linear")(image))
    adjust = keras.Model([light, plane], keras.layers.Multiply()([light, plane]))
    windows = KindEnhancer(decom, same, adjust).windows
    assert windows.holds_whole(1, 100_000, 100_000)


def test_a_batch_is_cut_into_images_before_images_are_cut(monkeypatch):
    from kind.decom.model import decomposition_net
    from kind.illumination.model import adjustment_net
    from kind.restoration.unet import unet

    windows = KindEnhancer(decomposition_net(), unet(), adjustment_net()).windows
    monkeypatch.setattr("kind.enhancing.tiling.plan.WORKING_MEMORY", windows._bytes_per_pixel * 10_001)
    assert windows.holds_whole(1, 100, 100) and not windows.holds_whole(2, 100, 100)
    assert [window.images for window in windows.of(5, 50, 100)] == [slice(0, 2), slice(2, 4), slice(4, 5)]
    cut = windows.of(2, 1000, 90)
    assert len(cut) > 2 and all(window.images in (slice(0, 1), slice(1, 2)) for window in cut)
    covered = np.zeros((2, 1000, 90), int)
    for images, row, column in cut:
        covered[images, row.keep_start : row.keep_stop, column.keep_start : column.keep_stop] += 1
    assert (covered == 1).all()


def test_a_model_without_a_graph_of_layers_gets_the_whole_image():
    class Opaque(keras.Model):
        def call(self, image):
            return image

    with pytest.raises(UnboundedReceptiveField, match="not a functional model"):
        stride(Opaque())


def test_tiles_of_huge_images_get_half_of_the_memory():
    windows = Windows(lambda: TilePlan(halo=8, stride=4, values=100, half=False))

    def largest(side):
        cut = windows.of(1, side, 10_000)
        return max((one.row.stop - one.row.start) * (one.column.stop - one.column.start) for one in cut)

    usual = windows._pixels(9_990, 10_000)
    assert largest(10_000) <= usual / 2 < largest(9_990) <= usual
