"""Ten protocols under load: servers to compare with, clients that ask, and what they had to wait."""
