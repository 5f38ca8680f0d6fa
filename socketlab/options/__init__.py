"""The option atlas: every option constant of the socket module, explained, and asked of this kernel.

    from socketlab.options import options
    options("buffer", level="SOL_SOCKET")              # a table of what they are
    options("SO_RCVBUF", now=True)                     # and what this kernel says
    options("SO_RCVBUF")[0].granted                    # asked 5,000 bytes, granted 10,000 bytes: …

`texts` says what each option is, `types` what its bytes mean, `catalogue` which there are, `ask` puts the questions,
`remarks` explains the answers, `table` shows them, `cells` writes them down as a cell to copy. Knows `probe` and
`measure`, not panels.
"""

from .ask import Answer, Grant, Kernel
from .catalogue import SECTIONS, Entry, catalogue
from .cells import cell
from .table import Option, OptionTable, matching, options, survey

__all__ = [
    "SECTIONS",
    "Answer",
    "Entry",
    "Grant",
    "Kernel",
    "Option",
    "OptionTable",
    "catalogue",
    "cell",
    "matching",
    "options",
    "survey",
]
