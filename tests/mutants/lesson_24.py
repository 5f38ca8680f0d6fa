"""Lesson 24: a client that tells bad certificates apart, and TLS that somebody else carries."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

from mutants import mutant, unusual

Address = tuple[str, int]

CODES = {9: "not yet valid", 10: "expired", 62: "wrong name"}


def trusting(authority: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority)


def verdict(context: ssl.SSLContext, address: Address, name: str | None, timeout: float | None) -> str:
    """The right way, with whatever context and name it is given."""
    try:
        with socket.create_connection(address, timeout) as plain:
            with context.wrap_socket(plain, server_hostname=name):
                return "good"
    except ssl.SSLCertVerificationError as error:
        return CODES.get(error.verify_code, "unknown authority")


# -- examine -----------------------------------------------------------------------------------------------------------


@mutant("examine", "nothing-verified")
def to_make_it_work(address: Address, name: str, authority: str, timeout: float) -> str:
    context = trusting(authority)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return verdict(context, address, name, timeout)


@mutant("examine", "nothing-verified")
def a_bare_context(address: Address, name: str, authority: str, timeout: float) -> str:
    context = ssl._create_unverified_context()
    return verdict(context, address, name, timeout)


@mutant("examine", "name-unchecked")
def any_name(address: Address, name: str, authority: str, timeout: float) -> str:
    context = trusting(authority)
    context.check_hostname = False
    return verdict(context, address, name, timeout)


@mutant("examine", "no-hostname")
def without_a_name(address: Address, name: str, authority: str, timeout: float) -> str:
    return verdict(trusting(authority), address, None, timeout)


@mutant("examine", "authority-unused")
def the_systems_authorities(address: Address, name: str, authority: str, timeout: float) -> str:
    return verdict(ssl.create_default_context(), address, name, timeout)


@mutant("examine", "address-for-name")
def the_address(address: Address, name: str, authority: str, timeout: float) -> str:
    return verdict(trusting(authority), address, address[0], timeout)


@mutant("examine", "refusal-escapes")
def lets_it_out(address: Address, name: str, authority: str, timeout: float) -> str:
    with socket.create_connection(address, timeout) as plain:
        with trusting(authority).wrap_socket(plain, server_hostname=name):
            return "good"


@mutant("examine", "read-late")
def the_clock_is_the_clock(address: Address, name: str, authority: str, timeout: float) -> str:
    """Both have to do with dates."""
    word = verdict(trusting(authority), address, name, timeout)
    return "expired" if word == "not yet valid" else word


@mutant("examine", "read-late")
def by_the_words(address: Address, name: str, authority: str, timeout: float) -> str:
    try:
        return lets_it_out(address, name, authority, timeout)
    except ssl.SSLCertVerificationError as error:
        for word in ("expired", "not yet valid", "mismatch"):
            if word in error.verify_message:
                return word.replace("mismatch", "wrong name")
        return "unknown authority" if "local issuer" in error.verify_message else "expired"


@mutant("examine", "other-words")
def its_own_words(address: Address, name: str, authority: str, timeout: float) -> str:
    try:
        return lets_it_out(address, name, authority, timeout)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message


@mutant("examine", "swallows")
def catches_all(address: Address, name: str, authority: str, timeout: float) -> str:
    try:
        return verdict(trusting(authority), address, name, timeout)
    except OSError:
        return "unknown authority"


@mutant("examine", "no-timeout")
def waits(address: Address, name: str, authority: str, timeout: float) -> str:
    return verdict(trusting(authority), address, name, None)


@mutant("examine", "no-timeout")
def only_for_the_connect(address: Address, name: str, authority: str, timeout: float) -> str:
    with socket.create_connection(address, timeout) as plain:
        plain.settimeout(None)
        try:
            with trusting(authority).wrap_socket(plain, server_hostname=name):
                return "good"
        except ssl.SSLCertVerificationError as error:
            return CODES.get(error.verify_code, "unknown authority")


KEPT: list[socket.socket] = []


@mutant("examine", "left-open")
def never_closes(address: Address, name: str, authority: str, timeout: float) -> str:
    plain = socket.create_connection(address, timeout)
    try:
        KEPT.append(trusting(authority).wrap_socket(plain, server_hostname=name))
        return "good"
    except ssl.SSLCertVerificationError as error:
        return CODES.get(error.verify_code, "unknown authority")


@mutant("examine", "returns-nothing")
def prints_it(address: Address, name: str, authority: str, timeout: float) -> None:
    print(verdict(trusting(authority), address, name, timeout))


@unusual("examine")
def step_by_step(address: Address, name: str, authority: str, timeout: float) -> str:
    """An empty context, a socket that is wrapped before it is connected, and a handshake of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority)
    sock = context.wrap_socket(socket.socket(), server_hostname=name, do_handshake_on_connect=False)
    with contextlib.closing(sock):
        sock.settimeout(timeout)
        sock.connect(address)
        try:
            sock.do_handshake()
        except ssl.CertificateError as error:
            return CODES.get(error.verify_code, "unknown authority")
    return "good"


@unusual("examine")
def with_asyncio(address: Address, name: str, authority: str, timeout: float) -> str:
    async def look() -> str:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(*address, ssl=trusting(authority), server_hostname=name), timeout
        )
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return "good"

    try:
        return asyncio.run(look())
    except ssl.SSLCertVerificationError as error:
        return CODES.get(error.verify_code, "unknown authority")
    except asyncio.TimeoutError:  # a TimeoutError from Python 3.11 on
        raise TimeoutError from None


# -- converse ----------------------------------------------------------------------------------------------------------

Pipe = ssl.MemoryBIO


class Pump:
    """The right way: what the answers below have in common."""

    def __init__(self, sock: socket.socket, incoming: Pipe, outgoing: Pipe) -> None:
        self.sock, self.incoming, self.outgoing = sock, incoming, outgoing

    def flush(self) -> None:
        self.sock.sendall(self.outgoing.read())

    def fetch(self) -> None:
        piece = self.sock.recv(65536)
        self.incoming.write(piece) if piece else self.incoming.write_eof()

    def __call__(self, step: Any, *arguments: Any) -> Any:
        while True:
            try:
                return step(*arguments)
            except ssl.SSLWantReadError:
                pass
            finally:
                self.flush()
            self.fetch()


def all_of(pump: Pump, tls: ssl.SSLObject) -> bytes:
    answer = b""
    while piece := pump(tls.read, 65536):
        answer += piece
    return answer


@mutant("converse", "want-read-escapes")
def as_if_it_were_a_socket(
    sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes
) -> bytes:
    tls.do_handshake()
    tls.write(request)
    return tls.read()


@mutant("converse", "nothing-carried")
def only_listens(sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes) -> bytes:
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            incoming.write(sock.recv(65536))
    tls.write(request)
    return tls.read()


@mutant("converse", "nothing-carried")
def forgets_the_request(
    sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes
) -> bytes:
    pump = Pump(sock, incoming, outgoing)
    pump(tls.do_handshake)
    tls.write(request)
    answer = b""
    while True:
        try:
            piece = tls.read(65536)
        except ssl.SSLWantReadError:
            pump.fetch()
            continue
        if not piece:
            return answer
        answer += piece


@mutant("converse", "asks-the-wire")
def a_recv_for_each_read(
    sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes
) -> bytes:
    pump = Pump(sock, incoming, outgoing)
    pump(tls.do_handshake)
    pump(tls.write, request)
    answer = b""
    while True:
        pump.fetch()
        try:
            piece = tls.read(65536)
        except ssl.SSLWantReadError:
            continue
        if not piece:
            break
        answer += piece
    pump(tls.unwrap)
    return answer


@mutant("converse", "one-read")
def one_read(sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes) -> bytes:
    pump = Pump(sock, incoming, outgoing)
    pump(tls.do_handshake)
    pump(tls.write, request)
    answer: bytes = pump(tls.read, 65536)
    with contextlib.suppress(ssl.SSLError):
        pump(tls.unwrap)
    return answer


@mutant("converse", "cut-as-whole")
def an_end_is_an_end(sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes) -> bytes:
    pump = Pump(sock, incoming, outgoing)
    pump(tls.do_handshake)
    pump(tls.write, request)
    answer = b""
    with contextlib.suppress(ssl.SSLError):
        while piece := pump(tls.read, 65536):
            answer += piece
        pump(tls.unwrap)
    return answer


@mutant("converse", "another-error")
def its_own_error(sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes) -> bytes:
    class Strict(Pump):
        def fetch(self) -> None:
            piece = self.sock.recv(65536)
            if not piece:
                raise ConnectionError("the server has gone")
            self.incoming.write(piece)

    pump = Strict(sock, incoming, outgoing)
    pump(tls.do_handshake)
    pump(tls.write, request)
    answer = all_of(pump, tls)
    pump(tls.unwrap)
    return answer


@mutant("converse", "end-not-told")
def does_not_tell(sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes) -> bytes:
    class Deaf(Pump):
        def fetch(self) -> None:
            # One line, so that a card says the same line whenever its time is up.
            self.incoming.write(next(filter(None, iter(lambda: self.sock.recv(65536), None))))

    pump = Deaf(sock, incoming, outgoing)
    pump(tls.do_handshake)
    pump(tls.write, request)
    answer = all_of(pump, tls)
    pump(tls.unwrap)
    return answer


@mutant("converse", "no-goodbye")
def just_goes(sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes) -> bytes:
    pump = Pump(sock, incoming, outgoing)
    pump(tls.do_handshake)
    pump(tls.write, request)
    return all_of(pump, tls)


@mutant("converse", "goodbye-unsent")
def says_it_to_himself(
    sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes
) -> bytes:
    answer = just_goes(sock, tls, incoming, outgoing, request)
    tls.unwrap()
    return answer


@mutant("converse", "sock-closed")
def closes_it(sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes) -> bytes:
    with sock:
        pump = Pump(sock, incoming, outgoing)
        answer = just_goes(sock, tls, incoming, outgoing, request)
        pump(tls.unwrap)
    return answer


@unusual("converse")
def with_a_pump(sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes) -> bytes:
    """A class with a call."""
    pump = Pump(sock, incoming, outgoing)
    pump(tls.do_handshake)
    pump(tls.write, request)
    answer = all_of(pump, tls)
    pump(tls.unwrap)
    return answer


@unusual("converse")
def a_state_at_a_time(sock: socket.socket, tls: ssl.SSLObject, incoming: Pipe, outgoing: Pipe, request: bytes) -> bytes:
    """One loop, and a list of what is still to do."""
    answer = bytearray()

    def read_all() -> None:
        while piece := tls.read(1000):
            answer.extend(piece)

    todo: list[Any] = [tls.do_handshake, lambda: tls.write(request), read_all, tls.unwrap]
    while todo:
        try:
            todo[0]()
            del todo[0]
        except ssl.SSLWantReadError:
            if data := outgoing.read():
                sock.sendall(data)
            if data := sock.recv(100):
                incoming.write(data)
            else:
                incoming.write_eof()
    sock.sendall(outgoing.read())
    return bytes(answer)
