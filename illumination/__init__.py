"""Stage 3: the illumination is adjusted by a wanted ratio."""
