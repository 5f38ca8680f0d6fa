"""Who got what: unicast, broadcast and a group, as this kernel hands them out; the picture, and the panel."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from socketlab.experiments import WhoGotWhat, draw_who_got_what, who_got_what
from socketlab.experiments.datagrams.groups import (
    MOST,
    MULTICAST_ALL,
    NAMES,
    Group,
    Message,
    Sent,
    send_to_group_steps,
)
from socketlab.panels.group import GroupPanel, group_picture
from socketlab.probe import probe

pytestmark = [
    pytest.mark.usefixtures("nothing_left_at_once"),
    pytest.mark.skipif(sys.platform != "linux", reason="who hears a group is another on other systems"),
    pytest.mark.skipif(not probe().works("multicast"), reason="loopback carries no groups here"),
]

HERE = socket.inet_aton("127.0.0.1")
GROUP = "239.255.98.76"
BROADCAST = "127.255.255.255"


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def udp(opened: ExitStack, host: str = "", port: int = 0, *, joins: bool = False) -> socket.socket:
    """Bound, sharing its port; hears no groups but its own."""
    sock = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    if port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_IP, MULTICAST_ALL, 0)
    if joins:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + HERE)
    return sock


def sending(opened: ExitStack) -> socket.socket:
    sock = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, HERE)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
    return sock


class TestWhoGotWhat:
    def test_each_kind_of_address(self, opened: ExitStack) -> None:
        everywhere = udp(opened)
        port = everywhere.getsockname()[1]
        receivers = {
            "all": everywhere,
            "all, member": udp(opened, "", port, joins=True),
            "home, member": udp(opened, "127.0.0.1", port, joins=True),
            "group, member": udp(opened, GROUP, port, joins=True),
            "broadcast": udp(opened, BROADCAST, port),
        }
        sender = sending(opened)
        hosts = {"unicast": "127.0.0.1", "broadcast": BROADCAST, "group": GROUP, "another": "239.255.98.77"}
        result = who_got_what(receivers, {name: (sender, (host, port)) for name, host in hosts.items()})
        assert result.reached("unicast") == ["home, member"]
        assert result.reached("broadcast") == ["all", "all, member", "broadcast"]
        assert result.reached("group") == ["all, member", "group, member"]
        assert result.reached("another") == []

    def test_one_that_cannot_be_sent(self, opened: ExitStack) -> None:
        receiver = udp(opened)
        sender = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        result = who_got_what({"it": receiver}, {"": (sender, (BROADCAST, receiver.getsockname()[1]))})
        assert result.messages == (Message("", (0,), "EACCES"),)

    def test_what_others_send_is_not_counted(self, opened: ExitStack) -> None:
        receiver, sender = udp(opened), sending(opened)
        address = ("127.0.0.1", receiver.getsockname()[1])
        sender.sendto(b"from before", address)
        sender.sendto(b"", address)
        assert who_got_what({"it": receiver}, {"": (sender, address)}).messages == (Message("", (1,)),)
        receiver.settimeout(0)
        with pytest.raises(BlockingIOError):
            receiver.recv(1)

    @pytest.mark.parametrize("timeout", [None, 0, 2.5], ids=str)
    def test_the_timeouts_stay(self, opened: ExitStack, timeout: float | None) -> None:
        receiver = udp(opened)
        receiver.settimeout(timeout)
        who_got_what({"it": receiver}, {"": (sending(opened), receiver.getsockname())})
        assert receiver.gettimeout() == timeout

    def test_refuses(self, opened: ExitStack) -> None:
        receiver = udp(opened)
        message = (receiver, ("127.0.0.1", 9))
        with pytest.raises(ValueError, match="1 to 8 receivers, but got 0"):
            who_got_what({}, {"": message})
        with pytest.raises(ValueError, match="1 to 8 messages, but got 9"):
            who_got_what({"it": receiver}, {str(number): message for number in range(MOST + 1)})

    def test_an_unknown_message(self) -> None:
        with pytest.raises(KeyError, match="no message is called 'b'; there are: a"):
            WhoGotWhat(("it",), (Message("a", (1,)),)).reached("b")


GIVEN = WhoGotWhat(
    ("all, member", "outsider"),
    (Message("to all", (1, 1)), Message("to the group", (2, 0)), Message("refused", (0, 0), "EACCES")),
)


class TestPicture:
    def test_drawn(self) -> None:
        (axes,) = draw_who_got_what(GIVEN).axes
        words = ["got it", "got it", "got 2", "–", "EACCES", "EACCES"]
        assert [text.get_text() for text in axes.texts] == words
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["all,\nmember", "outsider"]
        assert [tick.get_text() for tick in axes.get_yticklabels()] == ["to all", "to the group", "refused"]
        filled = [patch.get_facecolor()[:3] for patch in axes.patches]
        assert len({filled[n] for n in (0, 1, 2)}) == 1
        assert len(set(filled)) == 2

    def test_drawn_on_given_axes(self) -> None:
        (axes,) = draw_who_got_what(GIVEN).axes
        assert draw_who_got_what(GIVEN, title="mine", ax=axes) is axes
        assert axes.get_title("left") == "mine"

    def test_repr_is_the_same_on_each_run(self) -> None:
        assert repr(GIVEN) == "<WhoGotWhat: 3 messages, 2 receivers>"


def sent(*members: bool, **named: Any) -> Group:
    *_, (_, result) = send_to_group_steps(members, **named)
    return result


class TestGroup:
    @pytest.mark.parametrize("ttl", [0, 1])
    @pytest.mark.parametrize("loop", [False, True])
    def test_the_members_get_it(self, ttl: int, loop: bool) -> None:
        """On loopback, whatever the two options say."""
        result = sent(True, False, True, ttl=ttl, loop=loop)
        assert result.sent[-1].reached == ["A", "C"]
        assert "Message 1 reached A and C." in result.sentence()
        assert ("hands back" in result.sentence()) == (not loop)
        assert ("TTL of 0" in result.sentence()) == (not ttl)

    def test_outsiders_with_all_groups(self) -> None:
        result = sent(True, False, False, all_groups=True)
        assert result.sent[-1].reached == ["A", "B", "C"]
        assert "B and C are no members" in result.sentence()

    @pytest.mark.parametrize("all_groups", [False, True])
    def test_a_group_without_members(self, all_groups: bool) -> None:
        result = sent(False, False, False, all_groups=all_groups)
        assert result.sent[-1].reached == []
        assert "reached nobody. The group has no member" in result.sentence()

    def test_one_behind_the_other(self) -> None:
        result = None
        for number in range(MOST + 2):
            result = sent(number % 2 == 0, True, True, after=result)
        assert result is not None
        assert result.count == MOST + 2
        assert len(result.sent) == MOST
        assert [one.members[0] for one in result.sent] == [True, False] * (MOST // 2)

    def test_refuses(self) -> None:
        with pytest.raises(ValueError, match="3 truth values, but got 2"):
            send_to_group_steps([True, False])
        with pytest.raises(ValueError, match="ttl wanted 0 or 1"):
            send_to_group_steps([True] * 3, ttl=2)


@pytest.fixture
def panel() -> Iterator[GroupPanel]:
    panel = GroupPanel()
    yield panel
    panel.close()


def press(panel: GroupPanel) -> Sent:
    panel.run_button.click()
    assert panel.wait(20)
    latest: Sent = panel.result.sent[-1]
    return latest


class TestPanel:
    def test_joining_and_leaving(self, panel: GroupPanel) -> None:
        assert press(panel).reached == ["A", "B"]
        panel.members[0].value = False
        panel.members[2].value = True
        assert press(panel).reached == ["B", "C"]
        assert panel.result.count == 2

    def test_every_control_is_heard(self, panel: GroupPanel) -> None:
        panel.ttl.value, panel.loop.value, panel.all_groups.value = 0, False, True
        assert press(panel) == Sent((True, True, False), 0, False, True, (True, True, True))

    def test_nothing_is_sent_until_somebody_presses(self, panel: GroupPanel) -> None:
        panel.members[0].value = False
        assert panel.result is None
        assert not panel.running

    def test_the_button_says_send(self, panel: GroupPanel) -> None:
        assert panel.run_button.description == "Send"
        assert ">Send<" in panel.snapshot()

    def test_picture(self) -> None:
        rows = (Sent((True, False, False), 1, True, False, (True, False, False)),) * 2
        picture = group_picture(Group(rows, 7))
        words = re.sub(r"<[^>]*>", " ", picture).split()
        assert [word for word in words if word in ("6", "7")] == ["7", "6"], "the latest first"
        assert picture.count("member, got it") == 2
        assert picture.count("outside, nothing") == 4
        assert all(name in words for name in NAMES)
        assert group_picture(Group()) == ""
