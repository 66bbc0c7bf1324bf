"""How one kind of workload opens, holds, retreats and finishes."""
