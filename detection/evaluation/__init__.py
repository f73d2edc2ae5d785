"""Scoring detectors: what each finds in which kind of input, and how sure the difference is."""
