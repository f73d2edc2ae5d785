"""Teaching a detector's early features the reflectance, so that it sees in the dark by itself."""
