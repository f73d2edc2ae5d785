"""Layers that networks share, and networks to and from files."""
