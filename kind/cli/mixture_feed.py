"""What a stage is trained and validated on when its data are a mixture, see `data.mixture`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kind.constants import VALIDATION_EVERY
from kind.data.pair_lists import PairGlobs
from kind.errors import UserError

if TYPE_CHECKING:
    from kind.data.mixture import Prepare
    from kind.data.mixture_parts import MixturePart, Progress
    from kind.training.config import TrainingConfig
    from kind.training.loop import Datasets

_PREVIEWS, _PREVIEWS_APART = 4, 3  # how many, and validation samples from one to the next


class Mixture(NamedTuple):
    """A mixture that has been opened.

    Attributes:
        datasets: what the stage is fed.
        digests: of all samples, by side and by part and name, for the run folder.
        groups: names of the validation groups, in the order of their numbers.
    """

    datasets: Datasets
    digests: dict[str, dict[str, str]]
    groups: list[str]


def add_mixture_argument(parser: argparse.ArgumentParser, alone: str) -> None:
    """Declares --data, given once for each part.

    Args:
        parser: of a stage.
        alone: what a folder without name and weight is.
    """
    parser.add_argument(
        "--data",
        action="append",
        metavar="NAME=DIR:WEIGHT",
        help="one part of the training mixture, given once for each part: image pairs (low/ and high/), or "
        "bright photographs that are darkened; :all after the weight holds nothing out for validation; "
        "a preset of dark twins, such as :isp-published, makes only these of photographs; a DIR alone is "
        f"{alone}",
    )


def is_mixture(texts: Sequence[str | PairGlobs]) -> bool:
    """Whether what the user gave as --data are parts of a mixture, and not one folder of pairs.

    Raises:
        UserError: when it is neither.
    """
    if isinstance(texts[0], PairGlobs):
        return False
    if len(texts) == 1 and ("=" not in texts[0] or Path(texts[0]).is_dir()):
        return False
    if any("=" not in text for text in texts):
        raise UserError("--data expects one folder of pairs, or NAME=DIR:WEIGHT for each part of a mixture")
    return True


def open_mixture(
    texts: Sequence[str],
    config: TrainingConfig,
    replicas: int,
    cache: Path,
    progress: Progress | None = None,
    *,
    whole: bool = False,
    prepare: Prepare | None = None,
    prepare_validation: Prepare | None = None,
    validation_share: int = 1,
) -> Mixture:
    """Opens a mixture, decoded unless the cache has it.

    Args:
        texts: the parts, as `kind.data.photographs.parse_part` reads them.
        config: of the run.
        replicas: how many share each batch.
        cache: folder for decoded images.
        progress: see `data.mixture_parts.open_part`.
        whole: train on photographs made smaller, not on crops.
        prepare: last step for a training sample.
        prepare_validation: the same for a validation sample.
        validation_share: validate on every Nth of the validation samples.

    Raises:
        UserError: when a part is missing, broken or too small, a validation photograph is smaller than an
            added loss can be computed on, or the config asks for another split than a mixture has.
    """
    from kind.data.batches import check_patch
    from kind.data.mixture import chosen_part, mixture_batches, validation_samples
    from kind.data.mixture_parts import fitting, open_part
    from kind.data.photographs import parse_part
    from kind.ops.ssim import WINDOW
    from kind.training.added_losses import smallest_added_side
    from kind.training.loop import Datasets

    if config.validation_every != VALIDATION_EVERY:
        raise UserError(
            f"--validation-every expects {VALIDATION_EVERY} with a mixture, which holds out one scene in "
            f"{VALIDATION_EVERY}; received {config.validation_every}"
        )
    parts = [parse_part(text) for text in texts]
    names = [part.name for part in parts]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(
            f"--data: two parts are called {twice[0]!r}; give each a name of its own: NAME=DIR:WEIGHT"
        )
    opened = [open_part(part, cache, progress, config.decode_side) for part in parts]
    for part in opened:
        if part.validation:
            check_patch(part.validation, 1, max(smallest_added_side(config), WINDOW))  # scores have SSIM
    trained = [fitting(part, config.patch) for part in opened]
    for whole_part, rest in zip(opened, trained):
        count, small = len(whole_part.training), len(whole_part.training) - len(rest.training)
        if small:
            print(
                f"{rest.name}: {small} of {count} training images are not used: their shorter side is below "
                f"--patch {config.patch}",
                file=sys.stderr,
            )
    validation, groups = validation_samples(opened, prepare_validation)
    validation = validation.shard(validation_share, 0)

    def images_of(epoch: int, step: int) -> list[str]:
        positions = range(step * config.batch, (step + 1) * config.batch)
        return [chosen_part(trained, config.seed, epoch, position)[1] for position in positions]

    datasets = Datasets(
        batches=lambda epoch, processes, process: mixture_batches(
            trained,
            batch=config.batch,
            patch=config.patch,
            seed=config.seed,
            steps=config.steps,
            first_epoch=epoch,
            processes=processes,
            process=process,
            replicas=replicas,
            threads=config.loader_threads,
            whole=whole,
            prepare=prepare,
        ),
        steps=config.steps,
        validation=validation,
        previews=list(validation.shard(_PREVIEWS_APART, 0).take(_PREVIEWS)),
        images_of=images_of,
        training_part=_training_part(opened, config, prepare_validation),
    )
    digests = {side: _named(opened, side) for side in ("training", "validation")}
    return Mixture(datasets, digests, groups)


def _training_part(opened: Sequence[MixturePart], config: TrainingConfig, prepare: Prepare | None):
    """Training samples that are scored as well; None when the config wants none."""
    from kind.data.mixture import validation_samples

    if not config.training_scores:
        return None
    return validation_samples(opened, prepare, training=config.training_scores)[0]


def _named(parts: Sequence[MixturePart], side: str) -> dict[str, str]:
    """Digests of one side of all parts, the part's name before each sample's."""
    return {
        f"{part.name}/{name}": digest
        for part in parts
        if getattr(part, side)
        for name, digest in getattr(part, side).digests().items()
    }
