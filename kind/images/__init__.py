"""Photographs to and from files, and sheets of pictures."""

from kind.images.finding import find_photos
from kind.images.photo import Photo, read_photo, write_photo

__all__ = ["Photo", "find_photos", "read_photo", "write_photo"]
