"""Chance that can be replayed: the n-th draw of a seed is always the same, in whatever order draws are made."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def draw(seed: int, n: int) -> float:
    """The n-th number of `seed`, uniform in [0, 1).

    SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014), asked for its n-th
    output: nothing has to be remembered, so what was drawn before, or was not, changes nothing.
    """
    z = (seed + (n + 1) * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)


def seed_of(*parts: object) -> int:
    """A seed made of several things, such as a link's seed, the number of a connection, and a direction."""
    seed = 0xCBF29CE484222325  # FNV-1a: hash() of a str differs between processes
    for byte in repr(parts).encode():
        seed = ((seed ^ byte) * 0x100000001B3) & _MASK
    return seed
