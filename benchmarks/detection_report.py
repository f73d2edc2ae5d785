"""What `benchmarks.detection_inputs` prints: what was measured how, the tables, the targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.detection_pictures import AS_TAKEN, EXPOSURES, NOISES, RULE
from benchmarks.detection_tables import (
    Block,
    Tuned,
    counted_words,
    figures_table,
    targets_table,
    tuned_table,
    tuned_targets_table,
)
from kind.constants import IOU, MAX_DETECTIONS, SCORED_CONFIDENCE

if TYPE_CHECKING:
    from benchmarks.detection_bench import Bench, Named

_DIGITS = 12


def report(bench: Bench, blocks: Sequence[Block], tuned: Sequence[Tuned]) -> str:
    """Everything that was measured, in Markdown."""
    from kind.reports.table import markdown_list, markdown_table

    parts = [markdown_list(_facts(bench))]
    for block in blocks:
        parts += [
            f"**{block.detector}, unchanged, on {block.photographs}:**",
            markdown_table(figures_table(block)),
        ]
    twins = [block for block in blocks if AS_TAKEN not in block.lights]
    tables = [targets_table(twins, bench.judged)]
    if tuned:
        from benchmarks.fine_tuning import WITH_NEW_TWINS

        parts += ["**Fine-tuned for each input:**", markdown_table(tuned_table(tuned))]
        judged = [row.name for row in WITH_NEW_TWINS if row.learns_reflectance]
        tables.append(tuned_targets_table(tuned, judged))
    parts += [f"**Targets**, by the figure itself, whatever its interval: {counted_words(tables)}."]
    parts += [markdown_table(table) for table in tables]
    if not tuned:
        parts.append("Fine-tuned detectors were not measured in this run.")
    return "\n\n".join(parts)


def _facts(bench: Bench) -> list[tuple[str, str]]:
    """What the figures were made with, so that the tables say so themselves."""
    from kind.data.annotations.annotated import describe_objects

    facts = []
    for photographs in bench.sets:
        images = bench.tested(photographs, photographs.data)
        text = f"{len(images)} of {len(photographs.data.images)} photographs, {describe_objects(images)}"
        facts.append((photographs.name, f"{text}, {len(photographs.data.class_names)} classes"))
    facts.append(("Test photographs", RULE))
    if bench.flags.photographs:
        facts.append(
            ("Subset", f"at most {bench.flags.photographs} of them a data set, evenly spaced by name")
        )
    facts += _light_facts(bench)
    for name, _, variant in bench.networks:
        digests = bench.enhancers[name]().digests().items()
        text = ", ".join(f"{stage} {digest[:_DIGITS]}" for stage, digest in digests)
        facts.append((f"Enhancer {name}", f"variant {variant}: {text}; α of relit is its own choice"))
    for named in (*bench.detectors, *bench.adapted, *bench.joint):
        facts.append((f"Detector {named.name}", _detector_fact(bench, named)))
    facts.append(("Inputs", "in 8 bits; CLAHE of HSV's value by scikit-image, clip limit 0.01"))
    facts.append(
        (
            "Figures",
            f"COCO's, of boxes with scores over {SCORED_CONFIDENCE:g}, IoU threshold of non-maximum "
            f"suppression {IOU:g}, at most {MAX_DETECTIONS} an image; recovered: (input - raw) / (bright - "
            "raw), mAP50",
        )
    )
    facts.append(
        (
            "95 %",
            "percentile bootstrap over photographs, 1,000 sets, the same for all; recovered is left out "
            "where bright minus raw is not above 0 by it",
        )
    )
    return facts


def _light_facts(bench: Bench) -> list[tuple[str, str]]:
    from kind.data.darkening import PRESETS

    exposures = "; ".join(
        "{}: normal({:g}, {:g}) in [{:g}, {:g}]".format(
            name, *PRESETS[preset].light, *PRESETS[preset].light_range
        )
        for name, preset in EXPOSURES.items()
    )
    noises = "; ".join(
        "{}: {:g} to {:g}".format(name, *PRESETS[preset].shot_noise) for name, preset in NOISES.items()
    )
    return [
        (
            "Twins",
            f"of the dark ISP (kind.data.darkening) at full size in 8 bits, seed {bench.flags.seed}, one "
            "for each photograph and light",
        ),
        ("Exposure", f"share of the light that is left; {exposures}"),
        ("Noise", f"variance of shot noise for a value of 1, log-uniform; {noises}; read noise follows it"),
    ]


def _detector_fact(bench: Bench, named: Named) -> str:
    from kind.detection.evaluation.class_matching import match_classes

    finder = bench.finder(named)
    unknown = {
        photographs.name: match_classes(finder.class_names, photographs.data.class_names, named.name).unknown
        for photographs in bench.sets
    }
    left_out = "".join(
        f"; not counted in {name}: {', '.join(names)}" for name, names in unknown.items() if names
    )
    identity = finder.identity[:_DIGITS]
    return f"{len(finder.class_names)} classes, longer side {finder.size}, digest {identity}{left_out}"
