"""What waits between a sender and a receiver: stalls, queues over time, throughput by size, a live flow."""
