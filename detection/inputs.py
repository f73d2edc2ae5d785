"""What the detector sees of a photograph: the one function that training, prediction and export share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

    from kind.enhancing.enhancer import Enhancer

INPUTS = {
    "reflectance": "the restored reflectance: the scene with the darkness taken out",
    "relit": "the enhanced photograph",
    "stretched": "the photograph, its darkest value moved to 0 and its brightest to 1",
    "raw": "the photograph as it is",
    "ciconv": "edges that do not depend on the illumination, of CIConv's invariant W at σ = 1 pixel",
}
"""The kinds of input, the default first, and what each is."""

_PARTS = {"reflectance": "restored", "relit": "relit"}  # what the networks make, as `Enhanced` names it

DEFAULT_INPUT = next(iter(INPUTS))


def detector_input(
    enhancer: Enhancer | None, images: tf.Tensor, kind: str, alpha: float | tf.Tensor | None = None
) -> tf.Tensor:
    """Turns photographs into what the detector sees.

    It comes before `detection.letterbox`: the stretch must not see the canvas, whose grey is neither the
    darkest nor the brightest value of the photograph, and the networks know no edges of canvases.

    Args:
        enhancer: the pipeline; None will do where `needs_enhancer` says so.
        images: float32 [N, H, W, 3], RGB in [0, 1], any size.
        kind: one of `INPUTS`.
        alpha: how much brighter "relit" is, a number or float32 [N], None for the enhancer's own choice,
            which all else is always made under.

    Returns:
        float32 [N, H, W, 3] in [0, 1].

    Raises:
        ValueError: on another kind, or without an enhancer where one is needed.

    Example:
        >>> seen = detector_input(Enhancer.load(), images, "reflectance")
    """
    return detector_inputs(enhancer, images, [kind], alpha)[kind]


def detector_inputs(
    enhancer: Enhancer | None,
    images: tf.Tensor,
    kinds: Sequence[str],
    alpha: float | tf.Tensor | None = None,
) -> dict[str, tf.Tensor]:
    """As `detector_input`, for several kinds; the networks run once, with an α for "relit" twice at most."""
    # Late: --help wants the names above, not TensorFlow.
    from kind.ops.colour_invariants import as_detector_input, invariant_edges
    from kind.ops.stretch import min_max_stretch

    if unknown := set(kinds) - set(INPUTS):
        raise ValueError(f"kind expects one of {', '.join(INPUTS)}; received {min(unknown)!r}")
    needing = [kind for kind in kinds if needs_enhancer(kind)]
    if needing and enhancer is None:
        raise ValueError(f"kind {needing[0]!r} expects an enhancer; received None")
    given = [kind for kind in needing if kind == "relit" and alpha is not None]
    own = [kind for kind in needing if kind not in given]
    made = {}
    for alike, its_alpha in ((given, alpha), (own, None)):
        if alike:
            enhanced = enhancer(images, its_alpha, "plain", enhanced_parts(alike))
            made.update({kind: getattr(enhanced, _PARTS[kind]) for kind in alike})
    makers = {
        **{kind: partial(made.get, kind) for kind in _PARTS},
        "stretched": lambda: min_max_stretch(images),
        "raw": lambda: images,
        # The border is repeated: a frame would lie elsewhere on a training's canvas than around a photograph.
        "ciconv": lambda: as_detector_input(invariant_edges(images, "W", 0.0, repeat_border=True)),
    }
    return {kind: makers[kind]() for kind in kinds}


def enhanced_parts(kinds: Sequence[str]) -> tuple[str, ...]:
    """What the networks must make for these kinds of input, as `Enhanced` names it."""
    return tuple(_PARTS[kind] for kind in kinds if needs_enhancer(kind))


def needs_enhancer(kind: str) -> bool:
    """Whether this kind of input is made by the networks."""
    return kind in _PARTS
