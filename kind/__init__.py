"""Dark photographs taken apart into reflectance and illumination, cleaned and relit (KinD, ACM MM 2019)."""

import os

# TensorFlow reads these once, when it is imported. It leaves oneDNN off on CPUs without AVX-512 VNNI, where
# it makes these networks about twice as fast all the same. A user's own setting goes first.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def __getattr__(name: str):
    """Imports `Enhancer` on first use: `import kind` must not pay for TensorFlow."""
    if name == "Enhancer":
        from kind.enhancing.enhancer import Enhancer

        return Enhancer
    raise AttributeError(f"module 'kind' has no attribute {name!r}")
