"""TLS at both ends: handshakes that fail, faults of certificates, what a handshake costs; and the panel."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

import pytest
from leftovers import nothing_left

from socketlab.experiments import draw_handshakes, handshakes, tls_contexts, tls_ends, try_handshake
from socketlab.experiments.secure.faults import FAULTS, VERSIONS, CertificateFault, certificate_fault
from socketlab.experiments.secure.faults import certificate_fault_steps as steps
from socketlab.experiments.secure.handshakes import Flight, Handshake, Handshakes, handshakes_steps
from socketlab.panels.certificate import CertificatePanel, certificate_picture
from socketlab.trace.events import words_of

CODES = {"expired": 10, "early": 9, "name": 62, "authority": 20}


class TestEnds:
    def test_both_ends_talk(self) -> None:
        with tls_ends(*tls_contexts()) as (client, server):
            client.sendall(b"hello")
            assert server.recv(10) == b"hello"
            assert (client.server_side, server.server_side) == (False, True)

    def test_the_clients_exception_comes_out(self) -> None:
        client_context, _ = tls_contexts()
        _, server_context = tls_contexts()
        with nothing_left():
            with pytest.raises(ssl.SSLCertVerificationError), tls_ends(client_context, server_context):
                pass

    def test_the_servers_exception_comes_out(self) -> None:
        client_context, server_context = tls_contexts()
        server_context.verify_mode = ssl.CERT_REQUIRED
        with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN"), tls_ends(client_context, server_context):
            pass

    def test_what_either_end_says(self) -> None:
        client_context, server_context = tls_contexts()
        ends = try_handshake(client_context, server_context)
        assert (ends.client, ends.server, ends.client_reads) == (None, None, None)
        assert repr(ends) == "<client: done; server: done>"
        ends = try_handshake(client_context, server_context, None)
        cut = "SSLEOFError UNEXPECTED_EOF_WHILE_READING|SSLZeroReturnError"  # the latter until Python 3.11.3
        assert re.fullmatch(f"<client: ValueError; server: ({cut})>", repr(ends))

    def test_nothing_is_left(self) -> None:
        contexts = tls_contexts()
        with nothing_left():
            for name in ("localhost", "other.example", None):
                try_handshake(*contexts, name)


class TestFaults:
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("fault", CODES)
    def test_the_client_finds_it(self, fault: str, version: str) -> None:
        result = certificate_fault(fault, version=version)
        (said,) = result.client
        assert (said.outcome, said.reason) == ("SSLCertVerificationError", "CERTIFICATE_VERIFY_FAILED")
        assert "ALERT" in result.server[0].reason
        assert "No data has left it" in result.sentence()

    @pytest.mark.parametrize("fault", [*CODES, "nameless"])
    def test_nobody_finds_it_without_a_check(self, fault: str) -> None:
        result = certificate_fault(fault, verifies=False)
        assert result.connected
        assert "Nobody notices" in result.sentence()

    def test_a_client_without_a_certificate(self) -> None:
        old, new = (certificate_fault("client", version=version) for version in ("TLSv1.2", "TLSv1.3"))
        assert [word.failed for word in old.client] == [True]
        assert [word.failed for word in new.client] == [False, True]
        assert new.client[1].call == "recv()"
        assert "first recv()" in new.sentence()

    def test_the_rest(self) -> None:
        assert certificate_fault().connected
        assert certificate_fault("old").server[0].reason == "UNSUPPORTED_PROTOCOL"
        assert certificate_fault("nameless").client[0].outcome == "ValueError"
        assert repr(certificate_fault()) == "<CertificateFault: nothing; client content; server content>"

    def test_refused_when_called(self) -> None:
        with pytest.raises(ValueError, match="fault wanted one of none, expired, .*, but got 'x'"):
            steps("x")
        with pytest.raises(ValueError, match="version wanted one of"):
            steps(version="SSLv2")

    def test_nothing_is_left(self) -> None:
        certificate_fault()
        with nothing_left():
            for fault in FAULTS:
                certificate_fault(fault)
            steps().close()


GIVEN = Handshakes(
    0.02,
    (
        Handshake(
            "TLS 1.3",
            False,
            (Flight("client", 517, 0.0, 0.02, False), Flight("server", 900, 0.021, 0.041, False)),
            0.042,
            0.083,
        ),
    ),
)


class TestHandshakes:
    def test_who_waits_how_often(self) -> None:
        result = handshakes(0.005)
        assert [(one.version, one.resumed, one.waits) for one in result.each] == [
            ("TLS 1.2", False, 2), ("TLS 1.2", True, 1), ("TLS 1.3", False, 1), ("TLS 1.3", True, 1),
        ]  # fmt: skip
        for one in result.each:
            assert one.done < one.answered
            assert [flight.who for flight in one.flights] == ["client", "server"] * (len(one.flights) // 2)
        assert result.each[2].certificate_bytes > 2 * result.each[3].certificate_bytes

    def test_latency_is_bounded(self) -> None:
        for wrong in (-1, 0.3):
            with pytest.raises(ValueError, match=r"latency wanted 0 to 0\.2 seconds"):
                handshakes_steps(wrong)

    def test_stopped_in_the_middle(self) -> None:
        with nothing_left():
            going = handshakes_steps(0)
            share, result = next(going)
            going.close()
        assert (share, len(result.each)) == (0.25, 1)

    def test_picture(self) -> None:
        picture = draw_handshakes(GIVEN)
        (ax,) = picture.axes
        assert ax.get_title("left") == "TLS 1.3, full" or ax.get_title() == "TLS 1.3, full"
        assert {text.get_text() for text in ax.texts} >= {"517 B", "900 B"}
        with pytest.raises(ValueError, match="it has none"):
            draw_handshakes(Handshakes(0.02))

    def test_in_words(self) -> None:
        assert repr(GIVEN) == "<Handshakes: TLS 1.3, full 1>"
        assert repr(GIVEN.each[0]) == "<TLS 1.3, full: 1 round trip before the question>"


@pytest.fixture
def panel() -> Iterator[CertificatePanel]:
    panel = CertificatePanel()
    yield panel
    panel.close()


class TestPanel:
    def test_a_fault_and_no_check(self, panel: CertificatePanel) -> None:
        panel.run()
        assert panel.wait()
        assert panel.result.client[0].message == "certificate has expired"
        panel.verifies.value = False
        assert panel.wait()
        assert "Nobody notices" in panel.finding(panel.result)
        panel.fault.value = "client"
        panel.version.value = "TLSv1.2"
        assert panel.wait()
        assert (panel.result.fault, panel.result.version) == ("client", "TLSv1.2")

    def test_picture(self) -> None:
        result = certificate_fault("client")
        words = re.sub(r"<[^>]*>", " ", certificate_picture(result))
        for word in ("client", "server", "recv()", "TLSV13_ALERT_CERTIFICATE_REQUIRED", "done"):
            assert word in words
        assert isinstance(result, CertificateFault)


def test_an_error_of_tls_has_no_errno_of_the_system() -> None:
    """SSLWantReadError has the number 2, which is not ENOENT."""
    assert str(words_of(ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the operation did not complete"))) == (
        "SSLWantReadError"
    )
    assert str(words_of(FileNotFoundError(2, "no such file"))) == "FileNotFoundError ENOENT"
