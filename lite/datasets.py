"""What the light variant is trained and validated on: a mixture, see `data.mixture`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kind.data.batches import check_patch
from kind.data.mixture import chosen_part, fitting, mixture_batches, open_part, validation_samples
from kind.data.photographs import Part
from kind.lite.config import LiteConfig
from kind.training.added_losses import smallest_added_side
from kind.training.loop import Datasets

_PREVIEWS_APART = 3  # validation samples from one preview to the next


def mixture_feed(
    parts: Sequence[Part],
    config: LiteConfig,
    replicas: int,
    cache: Path,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Datasets, dict[str, dict[str, str]], list[str]]:
    """Opens a mixture.

    Args:
        parts: as the user gave them.
        config: of the run.
        replicas: how many share each batch.
        cache: folder for decoded images.
        progress: see `data.mixture.open_part`.

    Returns:
        The feed; digests of all samples, by part and name, for the run folder; the names of the
        validation groups.

    Raises:
        UserError: when a validation image is smaller than added losses can be computed on.
    """
    opened = [open_part(part, cache, progress, config.decode_side) for part in parts]
    for part in opened:
        if part.validation:
            check_patch(part.validation, 1, smallest_added_side(config))
    validation, groups = validation_samples(opened)
    trained = [fitting(part, config.patch) for part in opened]

    def images_of(epoch: int, step: int) -> list[str]:
        positions = range(step * config.batch, (step + 1) * config.batch)
        return [chosen_part(trained, config.seed, epoch, position)[1] for position in positions]

    feed = Datasets(
        batches=lambda epoch, processes, process: mixture_batches(
            opened,
            batch=config.batch,
            patch=config.patch,
            seed=config.seed,
            steps=config.steps,
            first_epoch=epoch,
            processes=processes,
            process=process,
            replicas=replicas,
            threads=config.loader_threads,
        ),
        steps=config.steps,
        validation=validation,
        previews=list(validation.shard(_PREVIEWS_APART, 0).take(4)),
        images_of=images_of,
    )
    digests = {
        "training": _named(opened, "training"),
        "validation": _named(opened, "validation"),
    }
    return feed, digests, groups


def _named(parts, which: str) -> dict[str, str]:
    """Digests of one side of all parts, the part's name before each sample's."""
    return {
        f"{part.name}/{name}": digest
        for part in parts
        if getattr(part, which)
        for name, digest in getattr(part, which).digests().items()
    }
