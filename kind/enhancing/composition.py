"""The relit image out of the parts that a variant makes."""

from __future__ import annotations

import tensorflow as tf

from kind.enhancing.enhanced import Enhanced
from kind.ops.fusion import published_fusion


def composed(
    made: Enhanced, fusion: str, parts: tuple[str, ...], images: tf.Tensor, share: tf.Tensor | None = None
) -> dict[str, tf.Tensor]:
    """Makes the relit image, and chooses the wanted parts.

    Args:
        made: all parts but the relit image.
        fusion: of `kind.constants.FUSIONS`.
        parts: names of what is wanted.
        images: the input, float32 [N, H, W, 3].
        share: of the relit image in the result, float32 []; the rest is the input. None is 1.

    Returns:
        The wanted parts by name, and α.
    """
    if fusion == "published":
        relit = published_fusion(*made[:5])
    else:
        relit = made.restored * made.adjusted
    if share is not None:
        relit = share * relit + (1.0 - share) * images
    made = made._replace(relit=relit)
    return {name: getattr(made, name) for name in (*parts, "alpha")}


def shares_of(strength: float | tf.Tensor) -> list[tf.Tensor]:
    """The strength as the tensors that a graph takes; none when it is known to be 1, which blends nothing."""
    if not tf.is_tensor(strength) and strength == 1:
        return []
    return [tf.cast(strength, tf.float32)]
