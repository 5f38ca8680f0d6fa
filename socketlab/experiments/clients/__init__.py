"""Many clients at once: models of concurrency, a load in a process of its own, and the latencies."""
