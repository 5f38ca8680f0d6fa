"""Several addresses for one name: which of them a client ends up with, and how long that takes."""
