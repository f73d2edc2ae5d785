"""What is used of KerasCV; the one file that imports it."""

import contextlib
import io
import warnings

from tensorflow import keras

# When a model is saved, KerasCV asks it for all its attributes, also for those that Keras warns about.
warnings.filterwarnings("ignore", r"`(Model\.state_updates|layer\.updates)` will be removed", UserWarning)

# KerasCV prints its backend's name on standard output, which is for results.
with contextlib.redirect_stdout(io.StringIO()):
    from keras_cv.layers import NonMaxSuppression
    from keras_cv.models import (
        CSPDarkNetBackbone,
        ResNetBackbone,
        RetinaNet,
        YOLOV8Backbone,
        YOLOV8Detector,
    )
    from keras_cv.src.models.object_detection.yolo_v8.yolo_v8_label_encoder import YOLOV8LabelEncoder
    from keras_cv.src.models.object_detection.yolo_v8.yolo_v8_layers import (
        BATCH_NORM_EPSILON,
        BATCH_NORM_MOMENTUM,
        apply_conv_bn,
        apply_csp_block,
    )
    from keras_cv.src.models.task import Task

# Keras exchanges the bases of a class when its first model is built from tensors, and fails where two of them
# lead to `Task`: so it is done here, for `Task` alone.
_tensor = keras.Input(())
Task(inputs=_tensor, outputs=_tensor)

__all__ = [
    "BATCH_NORM_EPSILON",
    "BATCH_NORM_MOMENTUM",
    "CSPDarkNetBackbone",
    "NonMaxSuppression",
    "ResNetBackbone",
    "RetinaNet",
    "Task",
    "YOLOV8Backbone",
    "YOLOV8Detector",
    "YOLOV8LabelEncoder",
    "apply_conv_bn",
    "apply_csp_block",
]
