"""Which networks enhance an image."""

VARIANTS = ("kind", "lite")
"""KinD's three networks, and one small network that does all of it in a fraction of the time."""

DEFAULT_VARIANT = VARIANTS[0]
