"""Scores detectors on several kinds of input, with confidence intervals of the differences."""
