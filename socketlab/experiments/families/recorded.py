"""What a kernel answered, recorded as root on Linux 6.18: for machines that lack a family, or the privilege to use it.

- "icmp reply": an IPv4 packet, the answer to an echo request with identifier 0x2600 and number 1;
- "icmpv6 reply": the same for IPv6, which comes without the packet's header;
- "links": netlink's loopback interface with its first attributes, and the end of the list.
"""

from __future__ import annotations

_RUNS = {
    "icmp reply": bytes.fromhex("45000020621d000040011abe7f0000017f0000010000fb2d2600000170696e67"),
    "icmpv6 reply": bytes.fromhex("810079e52600000170696e67"),
    "links": bytes.fromhex(
        "180100001000020001000000e803000000000403010000004900010000000000070003006c6f000008000d00e803000005001000"
        "000000000500110000000000050043000100000008000400000001000800320000000000080033000000000008001b0000000000"
        "08001e000000000008003d000000000008001f000100000008002800ffff0000080029000000010008003a000000010008003f00"
        "00000100080040000000010008003b00f8ff070008003c00ffff0000080042000000000008002000010000000500210001000000"
        "080023000000000008002f000000000008003000000000000600440000000000060045000000000005002700000000000a000100"
        "00000000000000000a0002000000000000000000140000000300020001000000e803000000000000"
    ),
}


def recorded_answer(name: str) -> bytes:
    """The bytes that were recorded under `name`. Raises LookupError for a name that there is not."""
    if name not in _RUNS:
        raise LookupError(f"nothing called {name!r} was recorded; there are {', '.join(_RUNS)}")
    return _RUNS[name]
