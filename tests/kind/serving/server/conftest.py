"""A small SavedModel with the signatures of an export, and servers for it."""

import base64
import io
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
import urllib3
from PIL import Image

BATCHING = """\
max_batch_size { value: 4 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 8 }
num_batch_threads { value: 2 }
allowed_batch_sizes: 1
allowed_batch_sizes: 2
allowed_batch_sizes: 4
"""
BOXES = 3
DATES = ("before", "after")


def png(height=6, width=9, level=40):
    """An image file of one colour."""
    return encoded(np.full((height, width, 3), level, np.uint8))


def encoded(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


class Brightener(tf.Module):
    """Multiplies by α, 2 by default; "finds" one box as large as the image, of the class named by `box`."""

    def __init__(self, box="spot", boxes=True):
        super().__init__()
        self.gain = tf.Variable(1.0)
        self.box = box
        self.boxes = boxes

    def one(self, data, alpha):
        pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
        return tf.clip_by_value(tf.cast(pixels, tf.float32) * alpha * self.gain, 0, 255)

    def png(self, pixels):
        return tf.io.encode_png(tf.cast(tf.round(pixels), tf.uint8))

    def relit(self, image_bytes, alpha):
        return tf.map_fn(
            lambda pair: self.png(self.one(*pair)), (image_bytes, alpha), fn_output_signature=tf.string
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.float32)])
    def enhance(self, image_bytes, alpha):
        return {"enhanced_bytes": self.relit(image_bytes, alpha)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.float32)])
    def enhance_to_brightness(self, image_bytes, brightness):
        before = tf.map_fn(lambda data: tf.reduce_mean(self.one(data, 1.0)), image_bytes, tf.float32)
        alpha = brightness * 255.0 / before
        return {"enhanced_bytes": self.relit(image_bytes, alpha), "alpha": alpha}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def decompose(self, image_bytes):
        def parts(data):
            pixels = self.one(data, 1.0)
            return self.png(pixels * 3), self.png(tf.reduce_mean(pixels, -1, keepdims=True))

        reflectance, illumination = tf.map_fn(parts, image_bytes, fn_output_signature=(tf.string, tf.string))
        return {"reflectance_bytes": reflectance, "illumination_bytes": illumination}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def detect(self, image_bytes):
        def box(data):
            size = tf.cast(tf.shape(self.one(data, 1.0)), tf.float32)
            return tf.stack([tf.stack([0.0, 0.0, size[1], size[0]]), *[tf.zeros(4)] * (BOXES - 1)])

        boxes = tf.map_fn(box, image_bytes, fn_output_signature=tf.float32)
        rows = tf.shape(image_bytes)[0]
        return {
            "boxes": boxes,
            "scores": tf.tile([[0.75, 0.0, 0.0]], [rows, 1]),
            "classes": tf.tile([[1, -1, -1]], [rows, 1]),
            "class_names": tf.tile([[self.box, "", ""]], [rows, 1]),
            "number": tf.ones([rows], tf.int32),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serving_default(self, image_bytes):
        alpha = tf.fill(tf.shape(image_bytes), 2.0)
        enhanced = {"enhanced_bytes": self.relit(image_bytes, alpha)}
        return {**enhanced, "alpha": alpha, **self.detect(image_bytes)} if self.boxes else enhanced

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, f"{date}_bytes") for date in DATES])
    def detect_changes(self, before_bytes, after_bytes):
        def one(pair):
            difference = tf.abs(self.one(pair[0], 1.0) - self.one(pair[1], 1.0))[..., :1]
            probability = self.png(difference), self.png(tf.where(difference > 127.5, 255.0, 0.0))
            return *probability, tf.math.count_nonzero(difference > 127.5, dtype=tf.int32)

        spec = (tf.string, tf.string, tf.int32)
        pictures = tf.map_fn(one, (before_bytes, after_bytes), fn_output_signature=spec)
        rows = tf.shape(before_bytes)[0]
        return {
            "probability_bytes": pictures[0],
            "mask_bytes": pictures[1],
            "boxes": tf.zeros([rows, BOXES, 4]),
            "areas": tf.pad(pictures[2][:, tf.newaxis], [[0, 0], [0, BOXES - 1]]),
            "scores": tf.ones([rows, BOXES]),
            "number": tf.ones([rows], tf.int32),
        }

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32), tf.TensorSpec([None], tf.float32)]
    )
    def enhance_tensor(self, images, alpha):
        return {"relit": images * alpha[:, None, None, None] * self.gain}


def save_brightener(folder, *, box="spot", boxes=True, gain=1.0, signatures=None):
    """Writes a version folder, with warm-up requests, by renaming it into place."""
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    model = Brightener(box, boxes)
    model.gain.assign(gain)
    usual = ("enhance_to_brightness", "decompose", "detect", "enhance_tensor")
    names = signatures or ("serving_default", "enhance", *usual)
    staged = folder.parent / f".staged-{folder.name}"
    tf.saved_model.save(model, str(staged), {name: getattr(model, name) for name in names})
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = "enhance"
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([png()]))
    request.inputs["alpha"].CopyFrom(tf.make_tensor_proto([2.0]))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    (staged / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(staged / "assets.extra/tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())
    staged.rename(folder)
    return folder


@pytest.fixture(scope="session")
def saved_brightener(tmp_path_factory):
    """A version folder to copy from."""
    return save_brightener(tmp_path_factory.mktemp("saved") / "1")


@pytest.fixture
def model_folder(saved_brightener, tmp_path):
    """A model's folder with version 1."""
    folder = tmp_path / "kind"
    folder.mkdir()
    shutil.copytree(saved_brightener, folder / "1")
    return folder


@pytest.fixture(scope="session")
def brightener_with():
    """See `save_brightener`."""
    return save_brightener


@pytest.fixture
def bare_model_folder(tmp_path):
    """A model that enhances and can do nothing else."""
    folder = tmp_path / "bare"
    folder.mkdir()
    save_brightener(folder / "1", signatures=["serving_default", "enhance"], boxes=False)
    return folder


@pytest.fixture
def comparing_folder(tmp_path):
    """A model that also compares two photographs: bright minus dark is the probability of a change."""
    folder = tmp_path / "comparing"
    folder.mkdir()
    save_brightener(folder / "1", signatures=["serving_default", "enhance", "detect_changes"])
    return folder


@pytest.fixture
def settings_for(tmp_path):
    """(folder, more settings) → settings with free ports and the batching parameters of an export."""
    from kind.serving.server.app import Settings
    from kind.serving.server.parameters import read_batching
    from kind.serving.server.version_folders import ModelConfig
    from kind.serving.worker.loading import LoadedModel

    path = tmp_path / "batching_params.pbtxt"
    path.write_text(BATCHING)

    def settings_for(folder, **more):
        settings = {
            "models": (ModelConfig(folder.name, folder),),
            "rest_port": 0,
            "grpc_port": 0,
            "batching": read_batching(path),
            "poll_seconds": 0.05,
            "load": LoadedModel,  # in this process, which is faster
            **more,
        }
        return Settings(**settings)

    return settings_for


class Rest:
    """A client without any patience: no retries."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"
        self.pool = urllib3.PoolManager(maxsize=64, retries=False)

    def ask(self, method, path, content=None, **options):
        body = {} if content is None else {"json": content}
        return self.pool.request(method, self.base + path, timeout=60, **body, **options)

    def enhance(self, data, alpha=2.0):
        image = base64.b64encode(data).decode()
        row = {"image_bytes": {"b64": image}, "alpha": alpha}
        answer = self.ask(
            "POST", "/v1/models/kind:predict", {"signature_name": "enhance", "instances": [row]}
        )
        return answer.status, answer.json()

    def at_once(self, images, alpha=2.0):
        """`enhance` for each image, by a client of its own."""
        with ThreadPoolExecutor(len(images)) as threads:
            return list(threads.map(lambda data: self.enhance(data, alpha), images))

    @staticmethod
    def level(answer):
        """The mean grey level of the image in an answer."""
        return int(decoded(base64.b64decode(answer["predictions"][0]["b64"])).mean())


@pytest.fixture
def rest_of():
    """(server) → a client for it."""
    return lambda server: Rest(server.rest_port)


@pytest.fixture
def serve(running, settings_for, model_folder, request):
    """(more settings) → a client of a server that runs until the test ends."""

    def serve(**more):
        context = running(settings_for(model_folder, **more))
        server = context.__enter__()
        rest = Rest(server.rest_port)
        rest.server = server

        def stop():
            rest.pool.clear()
            context.__exit__(None, None, None)

        request.addfinalizer(stop)
        return rest

    return serve


@pytest.fixture
def images():
    """(height, width, level) → an image file of one colour."""

    return png


@pytest.fixture
def slow(monkeypatch):
    """Makes every run of a model take this many seconds; sizes of batches are remembered."""
    from kind.serving.worker.loading import LoadedModel

    whole = LoadedModel.run
    slow = SimpleNamespace(seconds=0.0, batches=[])

    def run(self, signature, inputs, seconds=60.0, name=None):
        slow.batches.append(len(next(iter(inputs.values()))))
        time.sleep(slow.seconds)
        return whole(self, signature, inputs, seconds, name)

    monkeypatch.setattr(LoadedModel, "run", run)
    return slow
