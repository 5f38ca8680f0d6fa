"""CertificatePanel: a fault in a certificate, or in what the ends agree on, and what each end sees of it.

Below is `experiments.secure.faults`, which tries a handshake for real at each move of a control.
"""

from __future__ import annotations

from html import escape

import ipywidgets as widgets

from ..experiments.running import Steps
from ..experiments.secure.faults import FAULTS, VERSIONS, CertificateFault, Word, certificate_fault_steps
from .drawing.look import FITS, GREEN, RED, code, dot
from .experiment import ExperimentPanel


class CertificatePanel(ExperimentPanel):
    """A handshake with one fault: what the client's calls come to, and the server's."""

    title = "Certificates"
    about = "what client and server see of a handshake with one fault in it, by the version of TLS"
    hint = "Choose a fault: which end finds it, and how does the other one learn of it? Then take the check away."
    regions = ("the calls of the client and what came of each", "the calls of the server and what came of each")

    def __init__(self) -> None:
        self.fault = widgets.Dropdown(
            options=[(words, fault) for fault, words in FAULTS.items()], value="expired",
            description="Fault", tooltip="What is wrong", layout=widgets.Layout(width="480px", max_width=FITS),
        )  # fmt: skip
        self.version = widgets.Dropdown(
            options=list(VERSIONS), description="Version", tooltip="The newest that either end takes",
            layout=widgets.Layout(width="200px", max_width=FITS),
        )  # fmt: skip
        self.verifies = widgets.Checkbox(
            value=True, description="the client verifies", indent=False,
            tooltip="Without it: check_hostname = False, verify_mode = CERT_NONE",
            layout=widgets.Layout(width="200px", max_width=FITS),
        )  # fmt: skip
        super().__init__([self.fault, self.version, self.verifies])

    def steps(self) -> Steps[CertificateFault]:
        return certificate_fault_steps(self.fault.value, version=self.version.value, verifies=self.verifies.value)

    def picture(self, result: CertificateFault) -> str:
        return certificate_picture(result)

    def finding(self, result: CertificateFault) -> str:
        return result.sentence()


def certificate_picture(result: CertificateFault) -> str:
    """A row for each call: whose it is, what came of it, OpenSSL's reason, and what that says."""
    rows = [_row(who, word) for who, words in (("client", result.client), ("server", result.server)) for word in words]
    head = "".join(f"<th>{name}</th>" for name in ("end", "call", "what came of it", "reason", "in words"))
    return f"<table class='sl'><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(who: str, word: Word) -> str:
    outcome = f"{dot(RED if word.failed else GREEN)}{code(word.outcome) if word.failed else escape(word.outcome)}"
    cells = [who, code(word.call), outcome, code(word.reason) if word.reason else "", escape(word.message)]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
