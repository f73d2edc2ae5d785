"""A KerasCV detector for objects and faces on the restored reflectance."""
