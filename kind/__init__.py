"""Dark photographs taken apart into reflectance and illumination, cleaned and relit (KinD, ACM MM 2019)."""


def __getattr__(name: str):
    """Imports `Enhancer` on first use: `import kind` must not pay for TensorFlow."""
    if name == "Enhancer":
        from kind.pipeline import Enhancer

        return Enhancer
    raise AttributeError(f"module 'kind' has no attribute {name!r}")
