"""Stage 2: the reflectance of a dark image is cleaned."""
