"""Values that several rooms agree on, each stated once; imports nothing, so that parsers may read it."""

DEFAULT_ALPHA = 5.0
"""α of the published demonstration: how much brighter the illumination becomes."""

LARGEST_ALPHA = 1e30
"""Within float32, with room for products."""

FUSIONS = ("plain", "published")
"""R̂ ∘ L̂, and the masked and blended form of the original evaluation script."""

CONFIDENCE = 0.25
"""Detections with this score or less are not shown."""

SCORED_CONFIDENCE = 0.001
"""mAP ranks detections down to this score."""

IOU = 0.7
"""IoU threshold of non-maximum suppression, per class."""

MAX_DETECTIONS = 300
"""Most boxes of one photograph."""

CHANGE_THRESHOLD, SMALLEST_CHANGE = 0.5, 64
"""Pixels of a higher probability have changed; regions of fewer pixels are left out."""

DETECTOR_MULTIPLE = 32
"""The sides of a detector's input are multiples of its coarsest stride."""

BT601 = (0.299, 0.587, 0.114)
"""Luma weights of red, green and blue (ITU-R BT.601)."""

MAX_PIXELS = 50_000_000
"""Larger images are refused by exported models and by the server."""

VALIDATION_EVERY = 10
"""Training on pairs holds out one pair in this many, and on a mixture one scene."""

MAX_SEED = 2**31 - 1
"""Random seeds are int32 from 0 on."""

REST_PORT, GRPC_PORT = 8501, 8500
"""TensorFlow Serving's own."""

DARKENING_PRESETS = ("dusk", "clear", "moderate", "published")
"""Names of `kind.data.darkening.PRESETS`."""

DEFAULT_DARKENING = "moderate"

_IN_LINEAR_LIGHT = ("none", "slight", "under", "deep", "backlit", "lamps")
TWIN_PRESETS = (*_IN_LINEAR_LIGHT, *(f"isp-{name}" for name in DARKENING_PRESETS))
"""Names of `kind.data.dark_twins.PRESETS`."""

BRIGHTNESS = 0.458971
"""Mean luma of ImageNet's photographs: the brightness that is asked for where none is known."""
