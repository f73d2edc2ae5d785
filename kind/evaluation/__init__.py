"""Scoring enhanced images: which methods, under which protocols, with which metrics, told in which form.

Everything is given as data (images by path, methods as objects), so that nothing here imports a data set.
"""
