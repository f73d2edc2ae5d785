"""Figures of merit, each defined once and checked against an independent implementation."""
