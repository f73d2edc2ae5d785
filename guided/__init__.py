"""The guided variants: the work at a quarter of the resolution, a learned guided filter, a wanted brightness."""
