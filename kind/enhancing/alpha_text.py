"""α as people write and read it."""

import math
from collections.abc import Sequence
from typing import Union


def check_alpha(alpha: Union[float, Sequence[float]]) -> None:
    """Checks α: one number or several, NaN for the variant's own.

    Raises:
        ValueError: one is negative or infinite.
    """
    import numpy as np  # late: --help wants no more than the text

    if any(each < 0 or each == math.inf for each in np.ravel(alpha)):
        raise ValueError(f"alpha expects 0 or more; received {alpha!r}")


def alpha_text(alpha: float) -> str:
    """α with three significant digits and never with an exponent above 1: "4.21", "1000".

    Args:
        alpha: a number from 0 on.
    """
    return f"{alpha:.3g}" if alpha < 100 else f"{alpha:.0f}"
