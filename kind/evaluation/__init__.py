"""Scores enhanced images: methods, protocols, metrics and reports.

Images are given by path and methods as objects, so that nothing here imports a data set.
"""
