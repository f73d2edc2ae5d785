"""Videos and animations: read, enhanced without flicker, and written again; needs the extra `video`."""
