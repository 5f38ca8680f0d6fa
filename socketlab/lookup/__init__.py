"""The index of the course: every operation, constant and error, and the cell that teaches it.

    from socketlab.lookup import entries, matching
    matching(entries("operations"), "recv into")       # what has all of these words
    entries("errors")[0].places                        # where it is provoked and cured

`names` derives the operations from the interpreter at hand, `index` holds what the course says of them (index.json,
generated from the notebooks by tools/index.py). Knows nothing else of socketlab.
"""

from .index import KINDS, Entry, Place, entries, matching

__all__ = ["KINDS", "Entry", "Place", "entries", "matching"]
