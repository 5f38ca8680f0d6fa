"""The name server `names`: what it answers, byte for byte, and what dnspython makes of it."""

from __future__ import annotations

import random
import socket
import struct
from typing import Any

import pytest

from socketlab import udp_server
from socketlab.__main__ import stream_handlers
from socketlab.handlers import names

TABLE = {
    "www.lab": ["192.0.2.1", "192.0.2.2", "2001:db8::1"],
    "web.lab": "www.lab",
    "old.lab": "web.lab",
    "away.lab": "www.elsewhere.test",
    "a.loop.lab": "b.loop.lab",
    "b.loop.lab": "a.loop.lab",
    "many.lab": [f"192.0.2.{n}" for n in range(1, 41)],
}
A, CNAME, TXT, AAAA, ANY = 1, 5, 16, 28, 255


def question(
    name: bytes, kind: int = A, net: int = 1, *, number: int = 7, flags: int = 0x0100, count: int = 1
) -> bytes:
    return struct.pack("!6H", number, flags, count, 0, 0, 0) + name + struct.pack("!HH", kind, net)


def wire(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def ask(data: bytes) -> bytes:
    answer = names(TABLE)(data, None)
    assert answer is not None
    return answer


def head(answer: bytes) -> tuple[int, ...]:
    return struct.unpack("!6H", answer[:12])


class TestBytes:
    def test_an_address(self) -> None:
        asked = question(wire("www.lab"))
        answer = ask(asked)
        assert head(answer) == (7, 0x8500, 1, 2, 0, 0)  # QR, AA, and RD as it came
        record = b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 60, 4)
        assert answer[12:] == asked[12:] + record + bytes([192, 0, 2, 1]) + record + bytes([192, 0, 2, 2])

    def test_an_ipv6_address(self) -> None:
        answer = ask(question(wire("www.lab"), AAAA))
        assert head(answer)[3] == 1
        assert answer.endswith(socket.inet_pton(socket.AF_INET6, "2001:db8::1"))

    def test_another_name_is_followed(self) -> None:
        asked = question(wire("web.lab"))
        answer = ask(asked)
        alias = b"\xc0\x0c" + struct.pack("!HHIH", CNAME, 1, 60, 9)
        assert head(answer)[3] == 3
        assert answer[len(asked) :].startswith(alias + wire("www.lab"))
        place = len(asked) + len(alias)
        assert answer[place + 9 :].startswith(struct.pack("!HHHI", 0xC000 | place, A, 1, 60))

    def test_the_name_itself_when_asked_for_it(self) -> None:
        answer = ask(question(wire("web.lab"), CNAME))
        assert head(answer)[3] == 1
        assert answer.endswith(wire("www.lab"))

    def test_letters_of_either_size_and_the_question_as_it_came(self) -> None:
        asked = question(wire("wWw.LAB"))
        answer = ask(asked)
        assert head(answer)[3] == 2
        assert answer[12 : len(asked)] == asked[12:]

    @pytest.mark.parametrize("name", ["nobody.lab", "www.elsewhere.test", "x.www.lab"])
    def test_no_such_name(self, name: str) -> None:
        assert head(ask(question(wire(name)))) == (7, 0x8503, 1, 0, 0, 0)

    @pytest.mark.parametrize("name", ["www.lab", "lab", "loop.lab"])
    def test_no_such_record(self, name: str) -> None:
        assert head(ask(question(wire(name), TXT))) == (7, 0x8500, 1, 0, 0, 0)

    def test_names_that_point_at_each_other_end(self) -> None:
        assert 2 <= head(ask(question(wire("a.loop.lab"))))[3] <= 10

    def test_too_long_for_a_datagram(self) -> None:
        answer = ask(question(wire("many.lab")))
        assert head(answer) == (7, 0x8700, 1, 0, 0, 0)
        assert len(answer) <= 512

    def test_all_records(self) -> None:
        assert head(ask(question(wire("www.lab"), ANY)))[3] == 3
        assert head(ask(question(wire("web.lab"), ANY)))[3] == 1


class TestNoQuestion:
    @pytest.mark.parametrize(
        "name",
        [b"", b"\x03www", b"\x03www\x03lab", b"\xc0\x0c", b"\x40" + 64 * b"a" + b"\0", 90 * b"\x02ab" + b"\0"],
        ids=["none", "cut", "no end", "pointer", "long label", "long name"],
    )
    def test_not_well_formed(self, name: bytes) -> None:
        data = question(name)[: 12 + len(name)] if len(name) < 12 else question(name)
        assert head(ask(data))[:2] == (7, 0x8101)

    @pytest.mark.parametrize("count", [0, 2])
    def test_another_number_of_questions(self, count: int) -> None:
        assert head(ask(question(wire("www.lab"), count=count)))[1] & 15 == 1

    def test_another_class(self) -> None:
        assert head(ask(question(wire("www.lab"), net=3)))[1] & 15 == 5

    def test_another_operation(self) -> None:
        assert head(ask(question(wire("www.lab"), flags=0x2800)))[1] & 15 == 4

    @pytest.mark.parametrize("data", [b"", b"\0" * 11, question(wire("www.lab"), flags=0x8000)])
    def test_nothing_to_answer(self, data: bytes) -> None:
        assert names(TABLE)(data, None) is None

    def test_any_bytes_are_no_accident(self) -> None:
        draw, handler, good = random.Random(1035), names(TABLE), question(wire("a.loop.lab"))
        for _ in range(3000):
            data = bytearray(good if draw.random() < 0.7 else draw.randbytes(draw.randrange(60)))
            for _ in range(draw.randrange(4)):
                if data:
                    data[draw.randrange(len(data))] = draw.randrange(256)
            answer = handler(bytes(data), None)
            assert answer is None or (12 <= len(answer) <= 512 and answer[:2] == data[:2])


class TestTable:
    @pytest.mark.parametrize(
        "table",
        [
            {"www.lab": "192.0.2.256"},
            {"www.lab": ["web.lab", "192.0.2.1"]},
            {"www..lab": "192.0.2.1"},
            {"": "192.0.2.1"},
            {"a" * 64: "192.0.2.1"},
            {".".join(["a" * 60] * 5): "192.0.2.1"},
            {"café.lab": "192.0.2.1"},
            {"www.lab": "not a name..."},
        ],
    )
    def test_what_is_no_table(self, table: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="."):
            names(table)

    def test_a_time_to_live_that_is_none(self) -> None:
        with pytest.raises(ValueError, match="ttl"):
            names({}, ttl=-1)

    def test_is_no_handler_of_connections(self) -> None:
        assert stream_handlers() == ["chargen", "daytime", "discard", "echo", "http", "reverse"]

    def test_is_called_names(self) -> None:
        with udp_server(names(TABLE)) as server:
            assert "names" in repr(server)


class TestOverUdp:
    """A socket of one's own."""

    def test_answers(self) -> None:
        with udp_server(names(TABLE)) as server, socket.socket(type=socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect(server.address)
            s.send(question(wire("old.lab")))
            answer = s.recv(512)
        assert head(answer)[3] == 4
        assert answer.endswith(bytes([192, 0, 2, 2]))


class TestWithDnspython:
    """Somebody else's client, which reads every byte."""

    @pytest.fixture
    def dns(self) -> Any:
        pytest.importorskip("dns.query")
        import dns.flags
        import dns.message
        import dns.query
        import dns.rcode
        import dns.rdatatype

        return dns

    def ask(self, dns: Any, name: str, kind: str = "A") -> Any:
        with udp_server(names(TABLE)) as server:
            host, port = server.address
            query = dns.message.make_query(name, kind)
            return dns.query.udp(query, host, port=port, timeout=5)

    def test_addresses(self, dns: Any) -> None:
        answer = self.ask(dns, "www.lab")
        assert answer.rcode() == dns.rcode.NOERROR
        assert sorted(str(item) for item in answer.answer[0]) == ["192.0.2.1", "192.0.2.2"]
        assert answer.answer[0].ttl == 60

    def test_an_ipv6_address(self, dns: Any) -> None:
        assert [str(item) for item in self.ask(dns, "www.lab", "AAAA").answer[0]] == ["2001:db8::1"]

    def test_aliases(self, dns: Any) -> None:
        answer = self.ask(dns, "old.lab")
        chain = answer.resolve_chaining()
        assert str(chain.canonical_name) == "www.lab."
        assert len(chain.cnames) == 2

    def test_no_such_name(self, dns: Any) -> None:
        assert self.ask(dns, "nobody.lab").rcode() == dns.rcode.NXDOMAIN

    def test_no_such_record(self, dns: Any) -> None:
        answer = self.ask(dns, "www.lab", "TXT")
        assert answer.rcode() == dns.rcode.NOERROR
        assert not answer.answer

    def test_too_long(self, dns: Any) -> None:
        assert self.ask(dns, "many.lab").flags & dns.flags.TC

    def test_its_resolver(self, dns: Any) -> None:
        import dns.resolver

        with udp_server(names(TABLE)) as server:
            resolver = dns.resolver.Resolver(configure=False)
            resolver.nameservers, resolver.port, resolver.lifetime = [server.address[0]], server.address[1], 5
            assert sorted(str(item) for item in resolver.resolve("web.lab.", "A")) == ["192.0.2.1", "192.0.2.2"]
            with pytest.raises(dns.resolver.NXDOMAIN):
                resolver.resolve("nobody.lab.", "A")
