"""The stages of training, each in one line: what `train`, `pack`, `runs`, the documents and the tests read.

A new stage is a room (config, loss, model, stage) and a line in `STAGES`.
"""

from __future__ import annotations

import argparse
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kind.cli import train_adaptation, train_change, train_detection, train_mixture
from kind.cli.mixture_feed import add_mixture_argument
from kind.decom import config as decom
from kind.detection import config as detection
from kind.detection.adaptation import config as adaptation
from kind.detection.change import config as change
from kind.enhancing.variants import VARIANTS
from kind.guided import config as guided
from kind.illumination import config as illumination
from kind.joint import config as joint
from kind.lite import config as lite
from kind.restoration import config as restoration
from kind.training.config import StageConfig

if TYPE_CHECKING:
    from tensorflow import keras

    from kind.data.sources import Progress
    from kind.training.loop import Building, Prepared
    from kind.training.stage_spec import StageSpec


class Surroundings(NamedTuple):
    """What a run is prepared in.

    Attributes:
        data: folder of the data set, or what may be a mixture's parts as the user typed them; None with
            `quick`.
        quick: train on built-in samples.
        cache: folder for decoded and prepared images.
        replicas: how many share each batch.
        progress: see `kind.data.sources`.
        built: called with what makes the stage before any image is read, see
            `kind.training.initial.build_early`; returns the same.
    """

    data: Path | list[str] | None
    quick: bool
    cache: Path
    replicas: int = 1
    progress: Progress | None = None
    built: Building | None = None


def _add_data_folder(parser: argparse.ArgumentParser, content: str) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR", help=f"folder of the data set: {content}")


class _FromAnyNetwork:
    """What stages have in common that may begin with the weights of any network but a detector."""

    def read_initial(self, run_or_file: Path, stage: str) -> keras.Model:
        """Reads the network of `--init-from`: any but detectors; with `--init-partly` some layers may do."""
        from kind.training.given import load_given

        return load_given(run_or_file, stage, partly=True)


@dataclass(frozen=True)
class PairStage(_FromAnyNetwork):
    """A stage that learns from image pairs.

    Attributes:
        config: its settings.
        quick: settings for `--quick`.
        where: names the `StageSpec`, network, losses and data, which imports TensorFlow.
        given: stages whose trained networks it is given, which `--STAGE RUN` names.
        packed: stem of its file in a folder of weights; None when it has none of its own.
        others: stems of further files, when each of its networks has one of the network's name.
    """

    config: type[StageConfig]
    quick: dict[str, Any]
    where: str
    given: tuple[str, ...] = ()
    packed: str | None = None
    others: tuple[str, ...] = ()

    def spec(self) -> StageSpec:
        """Network, losses and data of the stage; imports TensorFlow."""
        return pkgutil.resolve_name(self.where)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the flags besides the stage's settings: the data set and each given network."""
        alone = "a folder of pairs (LOL's and LOL-v2's too) or a CSV of them"
        add_mixture_argument(parser, f"{alone}, stretched as the published code does")
        for side, end in (("low", "dark"), ("high", "bright")):
            text = f"instead of --data: the {end} images, such as 'shots/*_{end}.png'; files pair up when "
            text += "the wildcards match the same text"
            parser.add_argument(f"--{side}", metavar="GLOB", help=text)
        for stage in self.given:
            text = f"trained network of kind train {stage}: a run folder or .keras file"
            parser.add_argument(f"--{stage}", type=Path, required=True, metavar="RUN", help=text)

    def prepare(self, flags: argparse.Namespace, config: StageConfig, surroundings: Surroundings) -> Prepared:
        """Reads data and networks; see `kind.cli.train_pairs.prepare`."""
        from kind.cli.train_pairs import prepare

        spec = self.spec()
        given, builders = {}, {}
        for stage in self.given:
            given[stage] = STAGES[stage].read(getattr(flags, stage), to_train=spec.fine_tunes)
            builders.update(STAGES[stage].spec().networks)
        return prepare(spec, config, given, builders, **surroundings._asdict())

    def read(self, run_or_file: Path, *, to_train: bool = False) -> keras.Model:
        """Reads a network that this stage has trained.

        Args:
            run_or_file: a run folder or a `.keras` file.
            to_train: it is to be trained on, so it must be of a known architecture.

        Raises:
            UserError: when it cannot be read, or is another stage's.
        """
        from kind.nn.interfaces import INTERFACES
        from kind.training.given import load_given

        by_name = to_train or self.packed not in INTERFACES
        return load_given(run_or_file, self.packed, self.spec().networks if by_name else None)


@dataclass(frozen=True)
class MixtureStage(_FromAnyNetwork):
    """The stage of the light variant, which learns from a mixture of sets; attributes as of `PairStage`."""

    config: type[StageConfig]
    quick: dict[str, Any]
    where: str
    packed: str | None = None

    def spec(self) -> StageSpec:
        """Network and losses of the stage; imports TensorFlow."""
        return pkgutil.resolve_name(self.where)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the flags that the stage has besides its settings."""
        add_mixture_argument(parser, "the whole mixture")

    def prepare(self, flags: argparse.Namespace, config: StageConfig, surroundings: Surroundings) -> Prepared:
        """Reads the parts of the mixture; see `kind.cli.train_mixture.prepare`."""
        return train_mixture.prepare(config, **surroundings._asdict())

    def read(self, run_or_file: Path) -> keras.Model:
        """Reads a network that this stage has trained; see `PairStage.read`."""
        from kind.training.given import load_given

        return load_given(run_or_file, self.packed, self.spec().networks)


@dataclass(frozen=True)
class DetectionStage:
    """The detector's stage, which learns from annotated photographs; attributes as of `PairStage`."""

    config: type[StageConfig]
    quick: dict[str, Any]
    packed: str | None = None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the flags that the stage has besides its settings."""
        _add_data_folder(parser, "images/ and labels/")
        train_detection.add_arguments(parser)

    def prepare(self, flags: argparse.Namespace, config: StageConfig, surroundings: Surroundings) -> Prepared:
        """Reads data and networks; see `kind.detection.command.prepare`."""
        return train_detection.prepare(flags, config, **surroundings._asdict())

    def read(self, run_or_file: Path) -> keras.Model:
        """Reads a detector; see `kind.detection.predictor.load_detector`."""
        from kind.detection.predictor import load_detector

        return load_detector(run_or_file)

    def read_initial(self, run_or_file: Path, stage: str) -> keras.Model:
        """Reads the network of `--init-from`: a detector, or one joined with the networks before it."""
        import kind.detection.joint  # noqa: F401  (registers its layers)
        from kind.training.given import load_given

        return load_given(run_or_file)


@dataclass(frozen=True)
class AdaptationStage(DetectionStage):
    """The detector's stage with a decoder of its early features; attributes as of `PairStage`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the flags that the stage has besides its settings."""
        _add_data_folder(parser, "images/ and labels/")
        train_adaptation.add_arguments(parser)

    def prepare(self, flags: argparse.Namespace, config: StageConfig, surroundings: Surroundings) -> Prepared:
        """Reads data and networks; see `kind.detection.adaptation.command.prepare`."""
        return train_adaptation.prepare(flags, config, **surroundings._asdict())


@dataclass(frozen=True)
class ChangeStage(_FromAnyNetwork):
    """The stage of change detection, which learns from pairs of dates; attributes as of `PairStage`."""

    config: type[StageConfig]
    quick: dict[str, Any]
    packed: str | None = None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the flags that the stage has besides its settings."""
        train_change.add_arguments(parser)

    def prepare(self, flags: argparse.Namespace, config: StageConfig, surroundings: Surroundings) -> Prepared:
        """Reads data and networks; see `kind.detection.change.command.prepare`."""
        return train_change.prepare(flags, config, **surroundings._asdict())

    def read(self, run_or_file: Path) -> keras.Model:
        """Reads a network that this stage has trained; see `kind.detection.change.predictor`."""
        from kind.detection.change.predictor import load_change_net

        return load_change_net(run_or_file)


STAGES = {
    "decom": PairStage(decom.DecompositionConfig, decom.QUICK, "kind.decom.stage:SPEC", packed="decom"),
    "restoration": PairStage(
        restoration.RestorationConfig,
        restoration.QUICK,
        "kind.restoration.stage:SPEC",
        ("decom",),
        "restoration",
    ),
    "illumination": PairStage(
        illumination.AdjustmentConfig,
        illumination.QUICK,
        "kind.illumination.stage:SPEC",
        ("decom",),
        "illumination",
    ),
    "exposure": PairStage(
        illumination.ExposureConfig,
        illumination.QUICK_EXPOSURE,
        "kind.illumination.exposure_stage:SPEC",
        ("decom",),
        "exposure",
    ),
    "joint": PairStage(joint.JointConfig, joint.QUICK, "kind.joint.stage:SPEC", VARIANTS["kind"].stages),
    "lite": MixtureStage(lite.LiteConfig, lite.QUICK, "kind.lite.stage:SPEC", packed="lite"),
    "guided": PairStage(
        guided.GuidedConfig,
        guided.QUICK,
        "kind.guided.stage:SPEC",
        packed="guided",
        others=guided.NAMES[1:],
    ),
    "detection": DetectionStage(detection.DetectionConfig, detection.QUICK, "detector"),
    "adapt": AdaptationStage(adaptation.AdaptationConfig, adaptation.QUICK),
    "change": ChangeStage(change.ChangeConfig, change.QUICK, "change"),
}
