"""α as people read it."""


def alpha_text(alpha: float) -> str:
    """α with three significant digits and never with an exponent above 1: "4.21", "1000".

    Args:
        alpha: a number from 0 on.
    """
    return f"{alpha:.3g}" if alpha < 100 else f"{alpha:.0f}"
