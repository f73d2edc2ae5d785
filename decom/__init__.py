"""Stage 1: an image is taken apart into reflectance and illumination."""
