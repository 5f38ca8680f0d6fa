"""Asking who is ready: what one question costs, and the turns of a loop."""
