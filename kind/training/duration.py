"""Lengths of time in words."""


def duration(seconds: float) -> str:
    """Seconds → "1h02m", "3m05s" or "12s"."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
