"""The light variant: one small network that takes a dark image apart, cleans it and chooses the exposure."""
