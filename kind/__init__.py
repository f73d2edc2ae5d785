"""Dark photographs taken apart into reflectance and illumination, cleaned and relit (KinD, ACM MM 2019).

Example:
    >>> import kind
    >>> kind.Enhancer.load()("night.jpg").save("relit.png")
"""

import importlib
import os

# TensorFlow reads these once, when it is imported. It leaves oneDNN off on CPUs without AVX-512 VNNI, where
# it makes these networks about twice as fast all the same. A user's own setting goes first.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

TYPE_CHECKING = False  # as that of `typing`, whose import is long enough to be interrupted
if TYPE_CHECKING:  # what `__getattr__` imports on first use, for type checkers and editors
    from kind import losses, metrics
    from kind.enhancing.enhanced import Enhanced
    from kind.enhancing.enhancer import Enhancer
    from kind.errors import UserError
    from kind.images.photo import Photo, read_photo, write_photo

    __version__: str

__all__ = [
    "Enhanced",
    "Enhancer",
    "Photo",
    "UserError",
    "__version__",
    "losses",
    "metrics",
    "read_photo",
    "write_photo",
]

_MODULES = {
    "Enhanced": "kind.enhancing.enhanced",
    "Enhancer": "kind.enhancing.enhancer",
    "Photo": "kind.images.photo",
    "UserError": "kind.errors",
    "read_photo": "kind.images.photo",
    "write_photo": "kind.images.photo",
}


def __getattr__(name: str):
    """Imports public names on first use: `import kind` must not pay for TensorFlow."""
    if name == "__version__":
        return _version()
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    if name in __all__:
        return importlib.import_module(f"kind.{name}")
    raise AttributeError(f"module 'kind' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, for `help`, `dir` and completion."""
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The installed version; "unknown" in a checkout that is not installed."""
    from importlib import metadata

    try:
        return metadata.version("kind")
    except metadata.PackageNotFoundError:
        return "unknown"
