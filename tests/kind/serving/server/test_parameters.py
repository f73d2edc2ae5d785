"""TensorFlow Serving's parameter files."""

import pytest

from kind.errors import UserError
from kind.serving.server.parameters import METRICS_PATH, Batching, read_batching, read_metrics_path


@pytest.fixture
def written(tmp_path):
    def written(text):
        path = tmp_path / "parameters.pbtxt"
        path.write_text(text)
        return path

    return written


def test_batching_is_read(written):
    text = """# a comment
    max_batch_size { value: 8 }  batch_timeout_micros { value: 5000 }
    max_enqueued_batches: { value: 3 }
    num_batch_threads { value: 2 }
    allowed_batch_sizes: 2
    allowed_batch_sizes: 8
    thread_pool_name { value: "x" }
    enable_large_batch_splitting { value: true }
    pad_variable_length_inputs: true"""
    assert read_batching(written(text)) == Batching(8, 5000, 3, 2, (2, 8), split_large=True)


def test_what_is_left_out_has_the_real_servers_default(written):
    batching = read_batching(written(""))
    assert batching == Batching() and (batching.max_batch_size, batching.max_enqueued_batches) == (1000, 10)


def test_the_exports_own_files_are_read(tmp_path):
    from kind.export.start_files import write_start_files

    write_start_files(tmp_path)
    assert read_batching(tmp_path / "batching_params.pbtxt").max_batch_size == 4
    assert read_metrics_path(tmp_path / "monitoring.config") == METRICS_PATH


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size expects 1 or more, received 0"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros expects 0 or more"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: 2", "of which the last is max_batch_size"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: 4 allowed_batch_sizes: 4", "ascending sizes"),
        ("max_batch_size: 4", "parameters.pbtxt: "),
        ("max_batch { value: 4 }", "no field named"),
    ],
)
def test_mistakes_are_one_line(written, text, message):
    with pytest.raises(UserError) as caught:
        read_batching(written(text))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.pbtxt: cannot be read"):
        read_batching(tmp_path / "none.pbtxt")


def test_monitoring_is_read(written):
    assert read_metrics_path(written('prometheus_config { enable: true path: "/metrics" }')) == "/metrics"
    assert read_metrics_path(written("prometheus_config { enable: true }")) == METRICS_PATH
    assert read_metrics_path(written("prometheus_config { enable: false }")) is None
    with pytest.raises(UserError, match="a path of its own"):
        read_metrics_path(written('prometheus_config { enable: true path: "metrics" }'))
