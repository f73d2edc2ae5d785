"""What changed between two photographs of one place, whatever the light: siamese change detection."""
