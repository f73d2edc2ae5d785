"""What networks cost: parameters, arithmetic, memory, time."""
