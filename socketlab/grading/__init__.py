"""Grading: each submitted notebook's answers checked in a process of its own; a table, CSV and JUnit XML come out.

``python -m socketlab grade NOTEBOOK…``. This room knows `exercises` and what is below them.

What it protects against is bad luck: an answer that hangs, crashes, eats memory or leaves processes behind costs its
own notebook's points, and nobody else's. What it does not protect against is fraud: an answer runs in the process that
checks it, and one that sets out to forge a verdict can. Read the notebooks of those you wonder about.
"""

from .grade import Grade, grade, notebooks_in

__all__ = ["Grade", "grade", "notebooks_in"]
