"""The networks in several engines: what `python -m benchmarks.engines` measures."""

from __future__ import annotations

import importlib.util
import os
import pkgutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.enhancing.enhancer import Enhancer
from kind.enhancing.precision import cpu_has_bfloat16
from kind.enhancing.variants import VARIANTS

Run = Callable[[np.ndarray], np.ndarray]
"""uint8 [H, W, 3] → relit, uint8 [H, W, 3]; α is left to the network."""

_OPERATOR_SET = 17
_CALIBRATED = 8  # photographs
_TFLITE_PIXELS = 300_000
_FLOAT_PARTS = (
    "stem",
    "dark_cells",
    "stops_cells",
    "_folded",
    "glance",
    "grid",
)
"""Of the names of nodes: first and last layers and global branch of `lite`, which stay in float32."""


class Contestant(NamedTuple):
    """One line of the table.

    Attributes:
        engine: its name and, where there are several, its graph.
        precision: "float32", "bfloat16" or "int8".
        make: prepares it for images of a height and width.
    """

    engine: str
    precision: str
    make: Callable[[int, int], Run]


def contestants(variant: str) -> Iterator[Contestant]:
    """What is installed; TensorFlow in float32 comes first.

    Args:
        variant: "lite" or "kind".
    """
    enhancer = Enhancer.load(variant=variant)
    yield Contestant("TensorFlow", "float32", lambda height, width: _tensorflow(enhancer))
    if cpu_has_bfloat16() and "ONEDNN_MAX_CPU_ISA" not in os.environ:
        half = Enhancer.load(variant=variant, precision="bfloat16")
        yield Contestant("TensorFlow", "bfloat16", lambda height, width: _tensorflow(half))
    yield Contestant("TensorFlow Lite", "float32", lambda *size: _tflite(enhancer, size, in_int8=False))
    yield Contestant("TensorFlow Lite", "int8", lambda *size: _tflite(enhancer, size, in_int8=True))
    if is_there("tf2onnx", "onnxruntime"):
        files = OnnxFiles(enhancer)
        for precision in ("float32", "int8"):
            yield Contestant("ONNX Runtime", precision, lambda *size, of=precision: _onnx_runtime(files[of]))
            if is_there("openvino"):
                name = "OpenVINO, the same graph"
                yield Contestant(name, precision, lambda *size, of=precision: _openvino(files[of], size))
    if is_there("openvino"):
        for precision in ("float32", "int8"):
            yield Contestant(
                "OpenVINO, kind's graph", precision, lambda *size, of=precision: _own(variant, of)
            )


def missing() -> list[str]:
    """The engines that are not installed."""
    engines = {"ONNX Runtime": ("tf2onnx", "onnxruntime"), "OpenVINO": ("openvino",)}
    return [name for name, modules in engines.items() if not is_there(*modules)]


def is_there(*modules: str) -> bool:
    """Whether all can be imported."""
    return all(importlib.util.find_spec(name) for name in modules)


def calibration_images(size: tuple[int, int]) -> list[np.ndarray]:
    """Bright and dark photographs of a size: float32 [H, W, 3] in [0, 1]."""
    from kind.enhancing.fast.calibration import photographs

    found = list(photographs())
    chosen = found[:: len(found) // _CALIBRATED][:_CALIBRATED]
    return [_tiled(image, size) / np.float32(255) for image in chosen]


class OnnxFiles:
    """The enhancement as ONNX files for images of any size, made when they are asked for."""

    def __init__(self, enhancer: Enhancer) -> None:
        """Takes the networks."""
        self._enhancer, self._files = enhancer, {}
        self._folder = tempfile.TemporaryDirectory()

    def __getitem__(self, precision: str) -> Path:
        """The file in "float32" or "int8"."""
        if precision not in self._files:
            self._files[precision] = Path(self._folder.name) / f"{precision}.onnx"
            write = self._write_float if precision == "float32" else self._write_int8
            write(self._files[precision])
        return self._files[precision]

    def _write_float(self, path: Path) -> None:
        import tf2onnx

        from kind.export.portable import make_portable

        function = make_portable(self._enhancer, None).function
        model, _ = tf2onnx.convert.from_function(function, function.input_signature, opset=_OPERATOR_SET)
        path.write_bytes(model.SerializeToString())

    def _write_int8(self, path: Path) -> None:
        import onnx
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        prepared = path.with_name("prepared.onnx")
        quant_pre_process(str(self["float32"]), str(prepared), skip_symbolic_shape=True)
        nodes = [node for node in onnx.load(prepared).graph.node if node.op_type == "Conv"]
        quantize_static(
            str(prepared),
            str(path),
            _Reader(calibration_images((288, 288))),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[node.name for node in nodes if any(part in node.name for part in _FLOAT_PARTS)],
            calibrate_method=CalibrationMethod.MinMax,
        )


class _Reader:
    """Calibration images as ONNX Runtime asks for them."""

    def __init__(self, images: Iterable[np.ndarray]) -> None:
        self._inputs = iter([{"image": image[np.newaxis], "alpha": _ALPHA} for image in images])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._inputs, None)


_ALPHA = np.float32([np.nan])


def _tensorflow(enhancer: Enhancer) -> Run:
    return lambda image: np.asarray(enhancer(image, parts=("relit",), levels=True).relit)


def _own(variant: str, precision: str) -> Run:
    enhancer = pkgutil.resolve_name(VARIANTS[variant].in_8_bits).from_files()
    if precision == "int8":
        enhancer.calibrate(enhancer.ranges_file)
    return lambda image: enhancer(image, levels=True).relit


def _onnx_runtime(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return _in_levels(lambda image: session.run(None, {"image": image, "alpha": _ALPHA})[0])


def _openvino(path: Path, size: tuple[int, int]) -> Run:
    from kind.enhancing.fast.engine import CORE, SETTINGS

    model = CORE.read_model(path)
    model.reshape({"image": [1, *size, 3], "alpha": [1]})
    run = CORE.compile_model(model, "CPU", SETTINGS)
    return _in_levels(lambda image: run({"image": image, "alpha": _ALPHA})[0])


def _tflite(enhancer: Enhancer, size: tuple[int, int], in_int8: bool) -> Run:
    from kind.export.portable import make_portable
    from kind.export.tflite import converted, runner

    if in_int8 and size[0] * size[1] > _TFLITE_PIXELS:
        raise RuntimeError("TensorFlow Lite calibrates for minutes at this size")
    calibration = calibration_images(size)[::3] if in_int8 else ()
    run = runner(converted(make_portable(enhancer, size), calibration))
    return _in_levels(lambda image: run(image, _ALPHA))


def _in_levels(run: Callable[[np.ndarray], np.ndarray]) -> Run:
    def enhance(image: np.ndarray) -> np.ndarray:
        relit = run(image[np.newaxis] / np.float32(255))[0]
        return np.rint(255 * np.clip(relit, 0.0, 1.0)).astype(np.uint8)

    return enhance


def _tiled(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Repeated up to a size."""
    times = [-(-wanted // length) for wanted, length in zip(size, image.shape)]
    return np.tile(image, (*times, 1))[: size[0], : size[1]]
