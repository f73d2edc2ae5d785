"""What every training run shares: configuration, run folder, resuming, progress, plots."""
