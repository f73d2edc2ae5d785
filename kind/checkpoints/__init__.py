"""Published weights read into our networks."""
