"""Benchmarks of the loopback servers against others; run with ``make bench`` or ``python -m bench``. See README.md."""
