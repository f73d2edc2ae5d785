"""Boxes around objects: one reader for each data set's format, one internal form."""
