"""Waiting: for one byte or for many, what asking who is ready costs, and the turns of a loop."""
