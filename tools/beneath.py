"""What the operating system is asked for by each operation: the C call or the library beneath, and its manual page.

Where Python does something of its own around it, the C call is what a trace by strace(1) shows in the end. Patterns
are tried in order; the first that fits the whole name decides.
"""

from __future__ import annotations

import re

_NOTHING = "nothing: it is Python's own"
_TABLE: tuple[tuple[str, str], ...] = (
    # -- socket: functions
    (r"socket\.(gethostbyname|gethostbyname_ex)", "gethostbyname_r(3)"),
    (r"socket\.gethostbyaddr", "gethostbyaddr_r(3)"),
    (r"socket\.(gethostname)", "gethostname(2)"),
    (r"socket\.sethostname", "sethostname(2)"),
    (r"socket\.getfqdn", "gethostname(2), then gethostbyaddr_r(3)"),
    (r"socket\.(getservbyname|getservbyport|getprotobyname)", r"\1(3)"),
    (r"socket\.(getaddrinfo|getnameinfo)", r"\1(3)"),
    (r"socket\.(ntohs|ntohl|htons|htonl)", r"\1(3), byteorder(3)"),
    (r"socket\.(inet_aton|inet_ntoa)", r"\1(3)"),
    (r"socket\.(inet_pton|inet_ntop)", r"\1(3)"),
    (r"socket\.(if_nameindex|if_nametoindex|if_indextoname)", r"\1(3)"),
    (r"socket\.socketpair", "socketpair(2)"),
    (r"socket\.close", "close(2)"),
    (r"socket\.(dup|socket\.dup)", "fcntl(2), F_DUPFD_CLOEXEC"),
    (r"socket\.fromfd", "fcntl(2), F_DUPFD_CLOEXEC; getsockname(2)"),
    (r"socket\.(CMSG_LEN|CMSG_SPACE)", r"\1, cmsg(3)"),
    (r"socket\.send_fds", "sendmsg(2) with SCM_RIGHTS, unix(7)"),
    (r"socket\.recv_fds", "recvmsg(2) with SCM_RIGHTS, unix(7)"),
    (r"socket\.create_connection", "getaddrinfo(3), then socket(2) and connect(2) for each address"),
    (r"socket\.create_server", "socket(2), setsockopt(2), bind(2), listen(2)"),
    (r"socket\.has_dualstack_ipv6", "setsockopt(2) with IPV6_V6ONLY, ipv6(7)"),
    (r"socket\.(getdefaulttimeout|setdefaulttimeout)", "nothing: a number that new sockets begin with"),
    (r"socket\.(error|timeout)", "errno(3)"),
    (r"socket\.(herror)", "h_errno, gethostbyname(3)"),
    (r"socket\.gaierror", "gai_strerror(3)"),
    (r"socket\.(socket|SocketType)", "socket(2)"),
    (r"socket\.(AddressFamily|SocketKind|MsgFlag|AddressInfo)", "nothing: names for numbers of C's header files"),
    (r"socket\.SocketIO", "recv(2), send(2)"),
    (r"socket\.fromshare|socket\.socket\.(share|ioctl)", "WSADuplicateSocket, WSAIoctl (Windows)"),
    # -- socket: methods
    (r"socket\.socket\.accept", "accept4(2)"),
    (r"socket\.socket\.(bind|connect|listen|shutdown|close)", r"\1(2)"),
    (r"socket\.socket\.connect_ex", "connect(2)"),
    (r"socket\.socket\.(getpeername|getsockname|getsockopt|setsockopt)", r"\1(2)"),
    (r"socket\.socket\.(recv|recvfrom|recvmsg|send|sendto|sendmsg)", r"\1(2)"),
    (r"socket\.socket\.recv_into", "recv(2)"),
    (r"socket\.socket\.recvfrom_into", "recvfrom(2)"),
    (r"socket\.socket\.recvmsg_into", "recvmsg(2)"),
    (r"socket\.socket\.sendall", "send(2), again until all is taken"),
    (r"socket\.socket\.sendfile", "sendfile(2), or read(2) and send(2)"),
    (r"socket\.socket\.sendmsg_afalg", "sendmsg(2) with ALG_SET_OP and its like, kernel crypto API"),
    (r"socket\.socket\.(settimeout|setblocking)", "fcntl(2), O_NONBLOCK; then poll(2) before each call that may wait"),
    (r"socket\.socket\.(gettimeout|getblocking|timeout)", "nothing: Python keeps it"),
    (r"socket\.socket\.(family|type|proto)", "nothing: Python keeps what socket(2) was asked for"),
    (r"socket\.socket\.(fileno|detach)", "nothing: the number that socket(2) returned"),
    (r"socket\.socket\.get_inheritable", "fcntl(2), F_GETFD"),
    (r"socket\.socket\.set_inheritable", "ioctl(2), FIOCLEX and FIONCLEX"),
    (r"socket\.socket\.makefile", "recv(2) and send(2), through a buffer of Python's io"),
    # -- select
    (r"select\.select", "select(2)"),
    (r"select\.(poll(\.poll)?|epoll\.poll)", lambda m: "epoll_wait(2)" if "epoll" in m[0] else "poll(2)"),
    (r"select\.poll\.\w+", "nothing: Python keeps the list for poll(2)"),
    (r"select\.epoll", "epoll_create1(2)"),
    (r"select\.epoll\.(register|modify|unregister)", "epoll_ctl(2)"),
    (r"select\.epoll\.close", "close(2)"),
    (r"select\.epoll\.\w+", "nothing: the number that epoll_create1(2) returned"),
    (r"select\.error", "errno(3)"),
    # -- selectors
    (r"selectors\.(Default|Epoll)Selector", "epoll_create1(2)"),
    (r"selectors\.PollSelector", "poll(2)"),
    (r"selectors\.SelectSelector", "select(2)"),
    (r"selectors\.BaseSelector\.(register|modify|unregister)", "epoll_ctl(2), where the selector is epoll's"),
    (r"selectors\.BaseSelector\.select", "epoll_wait(2), poll(2) or select(2)"),
    (r"selectors\.BaseSelector\.close", "close(2)"),
    (r"selectors\..*", _NOTHING),
    # -- socketserver
    (r"socketserver\.\w+\.(server_bind)", "bind(2)"),
    (r"socketserver\.\w+\.(server_activate)", "listen(2)"),
    (r"socketserver\.\w+\.(get_request)", "accept4(2), or recvfrom(2)"),
    (r"socketserver\.\w+\.(serve_forever|handle_request)", "poll(2) or select(2), then accept4(2)"),
    (r"socketserver\.\w+\.(shutdown_request)", "shutdown(2), close(2)"),
    (r"socketserver\.\w+\.(server_close|close_request)", "close(2)"),
    (r"socketserver\.Forking\w+(\.process_request)?", "fork(2)"),
    (r"socketserver\.Threading\w+(\.process_request)?", "pthread_create(3)"),
    (r"socketserver\.\w+\.(collect_children|active_children|max_children)", "waitpid(2)"),
    (r"socketserver\.(TCP|UDP|Unix\w+)Server", "socket(2), bind(2), listen(2)"),
    (r"socketserver\..*", _NOTHING),
    # -- ssl
    (r"ssl\.(SSLSocket|SSLObject)\.(read|write|pending|do_handshake)", r"SSL_\2(3ssl)"),
    (r"ssl\.(SSLSocket|SSLObject)\.version", "SSL_get_version(3ssl)"),
    (r"ssl\.(SSLSocket|SSLObject)\.(cipher|shared_ciphers)", "SSL_get_current_cipher(3ssl), SSL_get_ciphers(3ssl)"),
    (r"ssl\.(SSLSocket|SSLObject)\.get_channel_binding", "SSL_get_finished(3ssl)"),
    (r"ssl\.(SSLSocket|SSLObject)\.verify_client_post_handshake", "SSL_verify_client_post_handshake(3ssl)"),
    (r"ssl\.(SSLSocket|SSLObject)\.unwrap", "SSL_shutdown(3ssl)"),
    (r"ssl\.(SSLSocket|SSLObject)\.getpeercert", "SSL_get_peer_certificate(3ssl)"),
    (r"ssl\.(SSLSocket|SSLObject)\.selected_alpn_protocol", "SSL_get0_alpn_selected(3ssl)"),
    (r"ssl\.SSLContext\.(load_verify_locations|set_default_verify_paths|load_default_certs)",
     "SSL_CTX_load_verify_locations(3ssl)"),
    (r"ssl\.SSLContext\.load_cert_chain", "SSL_CTX_use_certificate_chain_file(3ssl)"),
    (r"ssl\.SSLContext\.set_alpn_protocols", "SSL_CTX_set_alpn_protos(3ssl)"),
    (r"ssl\.SSLContext\.set_ciphers", "SSL_CTX_set_cipher_list(3ssl)"),
    (r"ssl\.SSLContext\.(sni_callback|set_servername_callback)", "SSL_CTX_set_tlsext_servername_callback(3ssl)"),
    (r"ssl\.SSLContext\.(minimum_version|maximum_version)", "SSL_CTX_set_min_proto_version(3ssl)"),
    (r"ssl\.SSLContext\.(verify_mode|post_handshake_auth)", "SSL_CTX_set_verify(3ssl)"),
    (r"ssl\.SSLContext\.options", "SSL_CTX_set_options(3ssl)"),
    (r"ssl\.SSLContext\.keylog_filename", "SSL_CTX_set_keylog_callback(3ssl)"),
    (r"ssl\.SSLContext\.(wrap_socket|wrap_bio)|ssl\.(SSLSocket|SSLObject)", "SSL_new(3ssl), ssl(7ssl)"),
    (r"ssl\.SSLContext.*|ssl\.create_default_context", "SSL_CTX_new(3ssl), ssl(7ssl)"),
    (r"ssl\.SSLSession.*|ssl\.SSL(Socket|Object)\.session\w*", "SSL_SESSION_get_time(3ssl), ssl(7ssl)"),
    (r"ssl\.MemoryBIO.*", "BIO_s_mem(3ssl)"),
    (r"ssl\.RAND_\w+", "RAND_bytes(3ssl)"),
    (r"ssl\.get_server_certificate", "connect(2), then SSL_connect(3ssl)"),
    (r"ssl\.\w*Error|ssl\.socket_error", "SSL_get_error(3ssl)"),
    (r"ssl\..*", "OpenSSL, ssl(7ssl)"),
    # -- asyncio
    (r"asyncio\.AbstractEventLoop\.(add|remove)_(reader|writer)", "epoll_ctl(2), where the loop's selector is epoll's"),
    (r"asyncio\.AbstractEventLoop\.sock_accept", "accept4(2), when the loop says that it need not wait"),
    (r"asyncio\.AbstractEventLoop\.sock_connect", "connect(2), then getsockopt(2) with SO_ERROR"),
    (r"asyncio\.AbstractEventLoop\.sock_(sendall|sendto|sendfile)",
     lambda m: {"sendall": "send(2)", "sendto": "sendto(2)", "sendfile": "sendfile(2)"}[m[1]]
     + ", when the loop says that it need not wait"),
    (r"asyncio\.AbstractEventLoop\.sock_(recv|recv_into|recvfrom|recvfrom_into)",
     lambda m: m[1].removesuffix("_into") + "(2), when the loop says that it need not wait"),
    (r"asyncio\.AbstractEventLoop\.(getaddrinfo|getnameinfo)", r"\1(3), in a thread"),
    (r"asyncio\.(AbstractEventLoop\.sendfile)", "sendfile(2)"),
    (r"asyncio\.(AbstractEventLoop|StreamWriter)\.start_tls", "OpenSSL, ssl(7ssl), over a BIO_s_mem(3ssl)"),
    (r"asyncio\.(AbstractEventLoop\.create_(unix_)?connection|open_(unix_)?connection)", "socket(2), connect(2)"),
    (r"asyncio\.(AbstractEventLoop\.create_(unix_)?server|start_(unix_)?server)", "socket(2), bind(2), listen(2)"),
    (r"asyncio\.AbstractEventLoop\.create_datagram_endpoint", "socket(2), bind(2), connect(2)"),
    (r"asyncio\.(WriteTransport|StreamWriter)\.(write|writelines)", "send(2), at once where there is room"),
    (r"asyncio\.(WriteTransport|StreamWriter)\.write_eof", "shutdown(2) with SHUT_WR, behind the last byte"),
    (r"asyncio\.DatagramTransport\.sendto", "sendto(2)"),
    (r"asyncio\.(BaseTransport|StreamWriter|AbstractServer)\.close", "close(2), by the loop"),
    (r"asyncio\.\w+\.abort", "close(2), and what was buffered is dropped"),
    (r"asyncio\..*", _NOTHING),
)  # fmt: skip


def beneath(operation: str) -> str:
    """The C call and its page, or why there is none. Raises LookupError for an operation that no row knows."""
    for pattern, words in _TABLE:
        if found := re.fullmatch(pattern, operation):
            return words(found) if callable(words) else found.expand(words)
    raise LookupError(f"tools/beneath.py wanted a row for {operation}, but there is none: add one")
