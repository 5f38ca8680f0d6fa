"""Limits: the numbers that bound what the course can do here, read where the kernel shows them.

Read, not tried: to find out how many descriptors may be open one would have to open them. Sources: getrlimit(2),
listen(2), tcp(7), ip(7), socket(7).
"""

from functools import partial

from socketlab.probe.attempts import Trial, trials

_SYSCTLS = {  # name: the file under /proc/sys/net, and what the number bounds
    "somaxconn": ("core/somaxconn", "the longest backlog that listen() grants"),
    "rmem_max": ("core/rmem_max", "bytes, the largest SO_RCVBUF without a privilege"),
    "wmem_max": ("core/wmem_max", "bytes, the largest SO_SNDBUF without a privilege"),
    "tcp_rmem": ("ipv4/tcp_rmem", "bytes, a TCP receive buffer's least, first and most"),
    "tcp_wmem": ("ipv4/tcp_wmem", "bytes, a TCP send buffer's least, first and most"),
    "tcp_max_syn_backlog": ("ipv4/tcp_max_syn_backlog", "half-open connections of one listener"),
    "ephemeral_ports": ("ipv4/ip_local_port_range", "the ports that port 0 is chosen from"),
    "first_free_port": ("ipv4/ip_unprivileged_port_start", "the lowest port without a privilege"),
    "ping_groups": ("ipv4/ping_group_range", "the groups that may open an ICMP ping socket; 1 0 is nobody"),
    "fast_open_bits": ("ipv4/tcp_fastopen", "1 lets clients, 2 servers use TCP Fast Open"),
    "congestion": ("ipv4/tcp_available_congestion_control", "what TCP_CONGESTION may be"),
    "unix_queue": ("unix/max_dgram_qlen", "datagrams that wait at an AF_UNIX socket"),
}


def open_files() -> str:
    """getrlimit(RLIMIT_NOFILE): how many descriptors this process may have open"""
    import resource

    soft, hard = (_number(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    return f"{soft}, can be raised to {hard}"


def _number(limit: int) -> str:
    return "no limit" if limit < 0 else str(limit)


def _sysctl(path: str) -> str:
    with open("/proc/sys/net/" + path) as file:
        return " ".join(file.read().split())


def limit_trials() -> list[Trial]:
    """The trials of the group limits."""
    return [
        *trials("limits", open_files),
        *(
            Trial("limits", name, f"/proc/sys/net/{path}: {meaning}", partial(_sysctl, path))
            for name, (path, meaning) in _SYSCTLS.items()
        ),
    ]
