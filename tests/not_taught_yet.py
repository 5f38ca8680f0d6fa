"""Operations that no notebook runs yet, by the number of the notebook that will. This table only shrinks.

A name that a cell runs must leave it; so must the names of a notebook once it is written.
"""

COMING: dict[int, list[str]] = {
    22: [
        "CMSG_LEN",
        "CMSG_SPACE",
        "dup",
        "fromfd",
        "recv_fds",
        "send_fds",
        "socket.get_inheritable",
        "socket.recvmsg",
        "socket.recvmsg_into",
        "socket.set_inheritable",
    ],
    23: ["socket.sendfile"],
}

NOT_TAUGHT_YET = {f"socket.{name}": number for number, names in COMING.items() for name in names}

# Operations of other systems, which Linux does not have.
ELSEWHERE = {"socket.fromshare": "Windows", "socket.socket.ioctl": "Windows", "socket.socket.share": "Windows"}

# Operations that an earlier lesson runs in passing: the recap of the lesson that teaches them will name them.
RECAP_TO_COME = {"socket.socket.dup": 22}
