"""After the three stages: their networks are fine-tuned together, end to end."""
