"""Where images come from: pairs, their decompositions, augmentation, built-in samples."""
