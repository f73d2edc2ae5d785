"""Large images in tiles, with the same result in bounded memory."""
