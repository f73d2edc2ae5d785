"""How far networks see, and how much they hold while they work: what tiles are planned by."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from tensorflow import keras

from kind.nn.exposure_layers import Exposed, SlicedStops
from kind.nn.layers import After, CropLike, JoinConvolution
from kind.nn.subpixel import DepthToSpace, FoldedBilinearUpsampling, SpaceToDepth

# Each of their output pixels depends on the same pixel of every input, and on nothing else. What has no
# pixels, such as the result of `Dense` on a vector, is known at every pixel.
_POINTWISE = (
    keras.layers.Activation,
    keras.layers.Add,
    keras.layers.BatchNormalization,
    keras.layers.Concatenate,
    keras.layers.Dense,
    keras.layers.Dropout,
    keras.layers.LeakyReLU,
    keras.layers.Maximum,
    keras.layers.Minimum,
    keras.layers.Multiply,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.Subtract,
    After,
    CropLike,
    Exposed,
    JoinConvolution,
)


class UnboundedReceptiveField(ValueError):
    """A layer whose outputs may depend on pixels anywhere in the image."""


class Span(NamedTuple):
    """Pixels along one axis, both ends included."""

    first: int
    last: int

    def wider(self, before: int, after: int) -> Span:
        """With so many more pixels at either side."""
        return Span(self.first - before, self.last + after)

    def joined(self, other: Span) -> Span:
        """The smallest span that holds both."""
        return Span(min(self.first, other.first), max(self.last, other.last))


def needed_spans(net: keras.Model, wanted: list[Span]) -> list[Span]:
    """Which pixels of a network's inputs a part of its outputs depends on, along either axis.

    Args:
        net: a functional model of layers that see a neighbourhood only. Its pixels are counted from a
            multiple of `stride(net)`.
        wanted: a span for each output.

    Returns:
        A span for each input; one that no output depends on gets an empty span.

    Raises:
        UnboundedReceptiveField: when the network has a layer of which it is not known how far it sees.
    """
    steps = _steps(net)
    spans: dict[int, Span] = {}

    def add(tensor: object, span: Span) -> None:
        spans[id(tensor)] = spans[id(tensor)].joined(span) if id(tensor) in spans else span

    for tensor, span in zip(net.outputs, wanted):
        add(tensor, span)
    for layer, inputs, output in steps[::-1]:
        if id(output) in spans:
            for tensor in inputs:
                add(tensor, _needed(layer, spans[id(output)]))
    nothing = Span(max(span.last for span in wanted), min(span.first for span in wanted))
    return [spans.get(id(tensor), nothing) for tensor in net.inputs]


def stride(net: keras.Model) -> int:
    """The coarsest pooling of a network, in pixels; raises UnboundedReceptiveField as `needed_spans` does."""
    return round(1 / min(_scales(net).values()))


def values_per_pixel(net: keras.Model) -> float:
    """The most numbers that a network holds at a time for each pixel of its input, inputs left out.

    Layers are taken in the network's order, each output is held until its last use.

    Raises:
        UnboundedReceptiveField: as `needed_spans` does.
    """
    scales = _scales(net)
    last_use: dict[int, int] = {id(tensor): len(net.layers) for tensor in net.outputs}
    steps = _steps(net)
    for number, (_, inputs, _) in enumerate(steps):
        for tensor in inputs:
            last_use.setdefault(id(tensor), number)
            last_use[id(tensor)] = max(last_use[id(tensor)], number)
    leaving = defaultdict(float)
    held = most = 0.0
    for number, (_, _, output) in enumerate(steps):
        has_pixels = output.shape.rank == 4 and output.shape[1] is None
        size = output.shape[-1] * scales[id(output)] ** 2 if has_pixels else 0
        held += size
        most = max(most, held)
        leaving[last_use.get(id(output), number)] += size
        held -= leaving[number]
    return most


class _Step(NamedTuple):
    """One use of a layer."""

    layer: keras.layers.Layer
    inputs: list
    output: object


def _steps(net: keras.Model) -> list[_Step]:
    """Every use of a layer that the outputs depend on, each after those whose results it takes."""
    if not getattr(net, "outputs", None):
        raise UnboundedReceptiveField(
            f"{net.name!r} is not a functional model: it is not known how far it sees"
        )
    inputs = {id(tensor) for tensor in net.inputs}
    steps: list[_Step] = []
    seen = set(inputs)

    def visit(tensor) -> None:
        if id(tensor) in seen:
            return
        seen.add(id(tensor))
        for source in tensor.node.keras_inputs:
            visit(source)
        steps.append(_Step(tensor.node.layer, tensor.node.keras_inputs, tensor))

    for tensor in net.outputs:
        visit(tensor)
    return steps


class _Grid(NamedTuple):
    """The pixels of a tensor."""

    scale: float  # its sides as a part of the image's
    multiple: int  # of which both sides are known to be a multiple, whatever the image's size


def _scales(net: keras.Model) -> dict[int, float]:
    """The size of every tensor as a part of the image's, by the tensor's id."""
    steps = _steps(net)
    grids = {id(tensor): _Grid(1.0, 1) for tensor in net.inputs}
    for layer, inputs, output in steps:
        _needed(layer, Span(0, 0))  # refuses what is unknown
        grids[id(output)] = _made(layer, grids[id(inputs[0])])
    return {tensor: grid.scale for tensor, grid in grids.items()}


def _made(layer: keras.layers.Layer, grid: _Grid) -> _Grid:
    """The pixels of a layer's output, from those of its first input."""
    if isinstance(layer, SpaceToDepth):
        return _Grid(grid.scale / layer.side, layer.multiple // layer.side)
    if isinstance(layer, DepthToSpace):
        return _Grid(grid.scale * layer.side, 1)
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return _Grid(grid.scale * layer.strides[0], grid.multiple * layer.strides[0])
    if isinstance(layer, keras.layers.UpSampling2D):
        return _Grid(grid.scale * layer.size[0], grid.multiple * layer.size[0])
    if isinstance(layer, keras.layers.MaxPooling2D):
        return _Grid(grid.scale / layer.strides[0], max(1, grid.multiple // layer.strides[0]))
    if isinstance(layer, keras.layers.Conv2D) and layer.strides != (1, 1):
        if grid.multiple % layer.strides[0]:  # where SAME begins depends on the size of the image
            raise UnboundedReceptiveField(f"layer {layer.name!r} (Conv2D): strides on sides that may be odd")
        return _Grid(grid.scale / layer.strides[0], grid.multiple // layer.strides[0])
    return grid


def _needed(layer: keras.layers.Layer, wanted: Span) -> Span:
    """Which pixels of its inputs a layer makes a span of its output from."""
    is_vector = isinstance(layer, keras.layers.Reshape) and layer.input.shape.rank == 2
    if isinstance(layer, _POINTWISE) or is_vector:
        return wanted
    if isinstance(layer, keras.layers.Conv2DTranspose):
        (size, *_), (step, *_) = layer.kernel_size, layer.strides
        if layer.kernel_size == layer.strides == (size, size) and layer.padding in ("valid", "same"):
            return Span(wanted.first // step, wanted.last // step)
    elif isinstance(layer, keras.layers.Conv2D):
        reach = max((size - 1) * rate for size, rate in zip(layer.kernel_size, layer.dilation_rate))
        if layer.strides == (1, 1) and (layer.padding == "same" or reach == 0):
            return wanted.wider(reach // 2, (reach + 1) // 2)
        if layer.strides == (2, 2) and layer.kernel_size == (3, 3) and layer.padding == "same":
            return Span(2 * wanted.first, 2 * wanted.last + 2)
    elif isinstance(layer, keras.layers.MaxPooling2D):
        # Larger windows with SAME padding begin before the image's first pixel at some of its sizes.
        if layer.pool_size == layer.strides == (2, 2) and layer.padding == "same":
            return Span(2 * wanted.first, 2 * wanted.last + 1)
    elif isinstance(layer, keras.layers.UpSampling2D):
        if layer.size == (2, 2) and layer.interpolation == "bilinear":
            return Span((wanted.first - 1) // 2, (wanted.last + 1) // 2)
    elif isinstance(layer, FoldedBilinearUpsampling):
        return wanted.wider(1, 1)
    elif isinstance(layer, SlicedStops):
        return wanted.wider(2, 2)
    elif isinstance(layer, SpaceToDepth):
        return Span(layer.side * wanted.first, layer.side * wanted.last + layer.side - 1)
    elif isinstance(layer, DepthToSpace):
        return Span(wanted.first // layer.side, wanted.last // layer.side)
    raise UnboundedReceptiveField(
        f"layer {layer.name!r} ({type(layer).__name__}): it is not known how far it sees"
    )
