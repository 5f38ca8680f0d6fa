"""One fault of a certificate, or of what the ends agree on: what client and server see of it, in either version of TLS.

Each try is a handshake over TCP on loopback between two contexts that fit together but for this one fault. Who finds it
tells the other by an *alert*, a number in a record of its own (RFC 8446, 6): the other one's exception has its name.
"""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ..running import Steps, run
from .ends import Ends, try_handshake

if TYPE_CHECKING:
    import trustme

__all__ = ["FAULTS", "VERSIONS", "CertificateFault", "certificate_fault", "certificate_fault_steps"]

#: What is wrong, and how a person says it.
FAULTS = {
    "none": "nothing",
    "expired": "the certificate has expired",
    "early": "the certificate is not valid yet",
    "name": "the certificate is for another name",
    "authority": "an authority that the client does not know",
    "nameless": "the client gives no server_hostname",
    "client": "the server wants a certificate, and the client has none",
    "old": "the server speaks an older TLS than the client takes",
}
VERSIONS = {"TLSv1.3": ssl.TLSVersion.TLSv1_3, "TLSv1.2": ssl.TLSVersion.TLSv1_2}
_PAST = datetime.datetime(2020, 1, 1), datetime.datetime(2021, 1, 1)
_FUTURE = datetime.datetime(2998, 1, 1), datetime.datetime(2999, 1, 1)
_OF_THE_CERTIFICATE = ("expired", "early", "name", "authority")  # what a client that verifies nothing does not see


class Word(NamedTuple):
    """What one call of one end came to: "done", or the exception with its reason, and what that says."""

    call: str  #: "wrap_socket()", "recv()"
    outcome: str  #: "done", or the name of the exception's class
    reason: str = ""  #: the name in OpenSSL's list
    message: str = ""  #: of a certificate that was refused, why; or the words of an exception without a reason

    @property
    def failed(self) -> bool:
        return self.outcome != "done"


@dataclass(frozen=True, repr=False)
class CertificateFault:
    """One try: the fault, the version of TLS, whether the client verifies, and each end's calls in order."""

    fault: str
    version: str
    verifies: bool
    client: tuple[Word, ...]
    server: tuple[Word, ...]

    @property
    def connected(self) -> bool:
        """Whether both ends believe, after the first byte, that all is well."""
        return not any(word.failed for word in (*self.client, *self.server))

    def sentence(self) -> str:
        """Who finds it, how the other one learns of it, and what follows."""
        if self.fault == "none":
            return "Both ends are content."
        if self.connected:
            return "Nobody notices: a client that verifies nothing talks to anybody, a thief included."
        if self.fault == "nameless":
            return "The client refuses before it has sent a byte: without a name there is nothing to compare."
        if self.fault in _OF_THE_CERTIFICATE:
            return "The client finds it, tells the server by an alert, and ends the connection. No data has left it."
        if self.fault == "old":
            return "The server finds that the two have no version in common, and tells the client by an alert."
        if self.client[0].failed:
            return "The server finds it, and tells the client by an alert, in the middle of the handshake."
        return "The server finds it. In TLS 1.3 the client is done by then: it learns of it in its first recv()."

    def __repr__(self) -> str:
        ends = [
            f"{who} {', '.join(word.reason or word.outcome for word in words if word.failed) or 'content'}"
            for who, words in (("client", self.client), ("server", self.server))
        ]
        return f"<CertificateFault: {FAULTS[self.fault]}; {'; '.join(ends)}>"


def certificate_fault(fault: str = "none", *, version: str = "TLSv1.3", verifies: bool = True) -> CertificateFault:
    """Try a handshake with this fault, one of `FAULTS`; `version` is one of `VERSIONS`.

    Without `verifies` the client has ``check_hostname = False`` and ``verify_mode = CERT_NONE``. Raises ValueError for
    anything else.
    """
    return run(certificate_fault_steps(fault, version=version, verifies=verifies), "handshake")


def certificate_fault_steps(
    fault: str = "none", *, version: str = "TLSv1.3", verifies: bool = True
) -> Steps[CertificateFault]:
    """`certificate_fault`, in one step. Raises what it raises at once."""
    for what, value, all_of in (("fault", fault, FAULTS), ("version", version, VERSIONS)):
        if value not in all_of:
            raise ValueError(f"{what} wanted one of {', '.join(all_of)}, but got {value!r}")
    return _try(fault, version, verifies)


def _try(fault: str, version: str, verifies: bool) -> Generator[tuple[float | None, CertificateFault], None, None]:
    client, server = _contexts(fault, VERSIONS[version])
    if not verifies:
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
    ends = try_handshake(client, server, None if fault == "nameless" else "localhost")
    yield 1.0, CertificateFault(fault, version, verifies, *_words(ends))


@cache
def _authority(which: int) -> trustme.CA:
    """An authority of this process; making one takes some milliseconds."""
    import trustme

    return trustme.CA()


def _contexts(fault: str, version: ssl.TLSVersion) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    names = ("other.example",) if fault == "name" else ("localhost",)
    dates = {"expired": _PAST, "early": _FUTURE}.get(fault)
    valid = {} if dates is None else {"not_before": dates[0], "not_after": dates[1]}
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _authority(1 if fault == "authority" else 0).issue_cert(*names, **valid).configure_cert(server)  # type: ignore[arg-type]
    client = ssl.create_default_context(cadata=_authority(0).cert_pem.bytes().decode())
    client.maximum_version = server.maximum_version = version
    if fault == "old":
        client.maximum_version = client.minimum_version = ssl.TLSVersion.TLSv1_3
        server.maximum_version = ssl.TLSVersion.TLSv1_2
    if fault == "client":
        _authority(0).configure_trust(server)
        server.verify_mode = ssl.CERT_REQUIRED
    return client, server


def _words(ends: Ends) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    client = [_word("wrap_socket()", ends.client)]
    if ends.client is None:
        client.append(_word("recv()", ends.client_reads))
    server = [_word("wrap_socket()", ends.server)]
    if ends.server is None:
        server.append(Word("sendall()", "done"))
    return tuple(client), tuple(server)


def _word(call: str, error: Exception | None) -> Word:
    if error is None:
        return Word(call, "done")
    reason = getattr(error, "reason", None) or ""
    message = getattr(error, "verify_message", "") or ("" if reason else str(error))
    return Word(call, type(error).__name__, reason, message)
