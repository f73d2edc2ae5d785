"""From a dark image to an enhanced one: the pipeline and its variants."""
