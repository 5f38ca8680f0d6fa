"""The sentences of `constants`: a name, blanks, what it is for. From the man pages of section 7 and Linux' headers."""

from __future__ import annotations

_LINES = """
AF_UNSPEC     any family; getaddrinfo() takes it, socket() does not
AF_INET       IPv4: an address is a host and a port
AF_INET6      IPv6: host, port, flow and scope
AF_UNIX       programs of one machine: an address is a path
AF_NETLINK    the kernel is the other end
AF_ROUTE      the kernel's table of routes; on Linux another name of AF_NETLINK
AF_LINK       addresses of network cards, on BSD and macOS
AF_PACKET     whole frames of a network card
AF_KEY        keys for IPsec, between the kernel and a key daemon
AF_ALG        the kernel's cryptography
AF_VSOCK      a virtual machine and its host
AF_HYPERV     a Hyper-V virtual machine and its Windows host
AF_CAN        the bus that connects the controllers of a car
AF_BLUETOOTH  devices nearby, by radio
AF_TIPC       services in a cluster, found by a number
AF_RDS        datagrams that arrive, between the nodes of a cluster
AF_QIPCRTR    the processors inside a telephone's chip (Qualcomm)
AF_SYSTEM     the kernel of macOS is the other end
AF_DIVERT     packets that FreeBSD's firewall hands to a program
AF_LLC        frames with the header of IEEE 802.2
AF_PPPOX      PPP over Ethernet, as DSL modems use it
AF_IRDA       infrared light, as telephones had it about 2000
AF_AX25       packet radio of amateurs
AF_NETROM     routing over AX.25, NET/ROM
AF_ROSE       routing over AX.25, ROSE
AF_X25        X.25, the packet network of telephone companies before the internet
AF_IPX        IPX, the protocol of Novell's networks
AF_APPLETALK  AppleTalk, Apple's protocol before the internet
AF_DECnet     DECnet, the protocol of Digital's machines
AF_SNA        Linux' SNA project, for IBM's mainframes; never finished
AF_ECONET     Econet, Acorn's network for schools
AF_ASH        Ash, a number given away and never used
AF_ATMPVC     ATM, over circuits that are always there
AF_ATMSVC     ATM, over circuits that are dialled
AF_AAL5       a number kept for ATM
AF_WANPIPE    Sangoma's cards for telephone lines
AF_NETBEUI    a number kept for NetBEUI, an early Windows network
AF_BRIDGE     a number in messages about bridges; no sockets
AF_SECURITY   a number kept for a callback of the kernel; no sockets
PF_CAN        the same number as AF_CAN; PF is "protocol family"
PF_PACKET     the same number as AF_PACKET
PF_RDS        the same number as AF_RDS
PF_SYSTEM     the same number as AF_SYSTEM
PF_DIVERT     the same number as AF_DIVERT
IPPROTO_IP        0: whatever is usual; also the level of IPv4's options
IPPROTO_ICMP      1: errors and echoes of IPv4 (RFC 792)
IPPROTO_IGMP      2: who listens to which multicast group (notebook 12)
IPPROTO_GGP       3: between the first gateways
IPPROTO_IPV4      4: an IPv4 packet inside a packet
IPPROTO_IPIP      4: an IPv4 packet inside a packet, as Linux calls it
IPPROTO_ST        5: an experimental protocol for streams
IPPROTO_TCP       6: TCP
IPPROTO_CBT       7: a protocol for multicast trees
IPPROTO_EGP       8: between the gateways of the 1980s
IPPROTO_IGP       9: any protocol for routes inside a network
IPPROTO_PUP       12: Xerox' protocol, older than IP
IPPROTO_UDP       17: UDP
IPPROTO_IDP       22: datagrams of Xerox' XNS
IPPROTO_RDP       27: reliable data, an experiment
IPPROTO_TP        29: the ISO's transport, class 4
IPPROTO_XTP       36: an experimental transport
IPPROTO_IPV6      41: an IPv6 packet inside a packet; also the level of IPv6's options
IPPROTO_ROUTING   43: an IPv6 header that names stations on the way
IPPROTO_FRAGMENT  44: the IPv6 header of a piece of a packet
IPPROTO_RSVP      46: asks routers to keep some speed free
IPPROTO_GRE       47: any packet inside a packet: tunnels
IPPROTO_ESP       50: IPsec, encrypted
IPPROTO_AH        51: IPsec, signed
IPPROTO_MOBILE    55: IP for machines that move
IPPROTO_ICMPV6    58: errors and echoes of IPv6, and who the neighbours are (RFC 4443)
IPPROTO_NONE      59: no header follows (IPv6)
IPPROTO_DSTOPTS   60: an IPv6 header with options for the destination
IPPROTO_HOPOPTS   0: an IPv6 header with options for each router
IPPROTO_HELLO     63: routes of the first internet
IPPROTO_ND        77: Sun's disks over the network
IPPROTO_ICLFXBM   78: Windows' number for a protocol of its own
IPPROTO_EON       80: ISO's protocol over IP
IPPROTO_PIM       103: multicast between routers
IPPROTO_IPCOMP    108: compressed packets
IPPROTO_VRRP      112: two routers that stand in for one another
IPPROTO_PGM       113: reliable multicast
IPPROTO_L2TP      115: tunnels for other networks
IPPROTO_SCTP      132: messages in several streams over one connection
IPPROTO_UDPLITE   136: UDP whose checksum may cover a part only
IPPROTO_MPTCP     262: TCP over several paths at once
IPPROTO_RAW       255: you write the IP header yourself; can only send
IPPROTO_MAX       the largest number and one more
IPPROTO_BIP       a number of old systems
PACKET_HOST        the frame was for this machine
PACKET_BROADCAST   the frame was for everybody on the wire
PACKET_MULTICAST   the frame was for a group
PACKET_OTHERHOST   the frame was for somebody else: the card hears everything
PACKET_OUTGOING    the frame is one that this machine sends
PACKET_LOOPBACK    a copy of a frame for the loopback interface; Linux shows it to nobody
PACKET_FASTROUTE   a frame that was passed on in haste; Linux no longer does
ETH_P_ALL          every protocol, for a packet socket
ETHERTYPE_IP       0x0800, the frame holds an IPv4 packet
ETHERTYPE_ARP      0x0806, the frame asks who has an IPv4 address
ETHERTYPE_VLAN     0x8100, the number of a virtual network follows
ETHERTYPE_IPV6     0x86dd, the frame holds an IPv6 packet
NETLINK_ROUTE     interfaces, addresses, routes, neighbours
NETLINK_SKIP      a number kept for ENskip, encryption of packets
NETLINK_USERSOCK  between programs, without a meaning of the kernel's
NETLINK_FIREWALL  packets of the old IPv4 firewall
NETLINK_TCPDIAG   the sockets of the machine, as ss lists them; now called SOCK_DIAG
NETLINK_NFLOG     log of the old firewall
NETLINK_XFRM      IPsec
NETLINK_ARPD      the ARP table in a program
NETLINK_ROUTE6    routes of IPv6, when they had a protocol of their own
NETLINK_IP6_FW    packets of the old IPv6 firewall
NETLINK_DNRTMSG   routes of DECnet
NETLINK_TAPBASE   the first of the numbers for the old tap devices
NETLINK_W1        the 1-Wire bus, in the place of an older protocol
NETLINK_CRYPTO    which ciphers the kernel has
ALG_OP_DECRYPT   for sendmsg_afalg(op=): decrypt
ALG_OP_ENCRYPT   for sendmsg_afalg(op=): encrypt
ALG_OP_SIGN      sign; proposed with public keys, and in no released Linux
ALG_OP_VERIFY    check a signature; proposed with it
VMADDR_CID_ANY    for bind(): whatever number this machine has
VMADDR_CID_LOCAL  1: this machine itself, where the module for loopback is there
VMADDR_CID_HOST   2: the host
VMADDR_PORT_ANY   for bind(): any port that is free
VM_SOCKETS_INVALID_VERSION     what an old call for the version returned for an error
IOCTL_VM_SOCKETS_GET_LOCAL_CID  for fcntl.ioctl() on /dev/vsock: this machine's own number
CAN_RAW      frames as they are on the bus
CAN_BCM      the broadcast manager: the kernel repeats frames, and tells when one changes
CAN_ISOTP    messages longer than a frame, as car diagnosis has them (ISO 15765-2)
CAN_J1939    SAE J1939, the protocol of trucks and tractors
CAN_EFF_FLAG  bit 31 of the identifier: it has 29 bits (extended frame format)
CAN_RTR_FLAG  bit 30: a question without data (remote transmission request)
CAN_ERR_FLAG  bit 29: no frame of the bus; the controller reports trouble
CAN_SFF_MASK  the 11 bits of a standard identifier
CAN_EFF_MASK  the 29 bits of an extended identifier
CAN_ERR_MASK  the bits of an error frame that say what is wrong
CAN_BCM_TX_SETUP   to the kernel: repeat this frame
CAN_BCM_TX_DELETE  to the kernel: stop repeating
CAN_BCM_TX_READ    to the kernel: what do you repeat?
CAN_BCM_TX_SEND    to the kernel: send this frame once
CAN_BCM_RX_SETUP   to the kernel: tell me when this identifier comes, or changes
CAN_BCM_RX_DELETE  to the kernel: no longer tell me
CAN_BCM_RX_READ    to the kernel: what do you watch?
CAN_BCM_TX_STATUS  the answer to TX_READ
CAN_BCM_TX_EXPIRED  the counted repetitions are over
CAN_BCM_RX_STATUS  the answer to RX_READ
CAN_BCM_RX_TIMEOUT  a frame that should come again and again did not
CAN_BCM_RX_CHANGED  a watched frame came, with new content
CAN_BCM_SETTIMER     flag: the message has new intervals
CAN_BCM_STARTTIMER   flag: begin to count now
CAN_BCM_TX_COUNTEVT  flag: say when the counted repetitions are over
CAN_BCM_TX_ANNOUNCE  flag: send new content at once
CAN_BCM_TX_CP_CAN_ID  flag: take the identifier from the message's head
CAN_BCM_RX_FILTER_ID  flag: the identifier is enough, whatever the content
CAN_BCM_RX_CHECK_DLC  flag: another length counts as a change
CAN_BCM_RX_NO_AUTOTIMER  flag: do not begin to watch the time with the first frame
CAN_BCM_RX_ANNOUNCE_RESUME  flag: say when frames come again after a timeout
CAN_BCM_TX_RESET_MULTI_IDX  flag: begin with the first of several frames
CAN_BCM_RX_RTR_FRAME  flag: answer questions for this identifier
CAN_BCM_CAN_FD_FRAME  flag: the frames are CAN FD's, of up to 64 bytes
J1939_MAX_UNICAST_ADDR  0xfd, the largest address of one controller
J1939_IDLE_ADDR   0xfe, who has no address yet
J1939_NO_ADDR     0xff, for everybody
J1939_NO_NAME     0, no name: the address counts
J1939_NO_PGN      no group of parameters: all of them
J1939_PGN_REQUEST            a message that asks for another one
J1939_PGN_ADDRESS_CLAIMED    "this address is mine"
J1939_PGN_ADDRESS_COMMANDED  "take this address"
J1939_PGN_PDU1_MAX  the largest group that is sent to one address
J1939_PGN_MAX       the largest group of parameters, 18 bits
J1939_FILTER_MAX    how many filters a socket can have
J1939_NLA_PAD          in the error queue: filling
J1939_NLA_BYTES_ACKED  in the error queue: how much of a long message has arrived
J1939_EE_INFO_NONE      in the error queue: nothing more to say
J1939_EE_INFO_TX_ABORT  in the error queue: the transfer was given up
SCM_J1939_DEST_ADDR  beside a message: the address it was sent to
SCM_J1939_DEST_NAME  beside a message: the name it was sent to
SCM_J1939_PRIO       beside a message: its priority
SCM_J1939_ERRQUEUE   beside a message of the error queue: what became of it
TIPC_ADDR_NAMESEQ  an address is a service and a range of its instances
TIPC_ADDR_NAME     an address is a service and one instance
TIPC_ADDR_ID       an address is a node and a socket on it
TIPC_ZONE_SCOPE     known in the zone; now the same as the cluster
TIPC_CLUSTER_SCOPE  known in the whole cluster
TIPC_NODE_SCOPE     known on this node only
TIPC_SUB_PORTS    tell me of each socket of a service
TIPC_SUB_SERVICE  tell me of the first and of the last one only
TIPC_SUB_CANCEL   no longer tell me
TIPC_WAIT_FOREVER  a subscription without an end
TIPC_PUBLISHED    event: the service is there
TIPC_WITHDRAWN    event: it is gone
TIPC_SUBSCR_TIMEOUT  event: the subscription is over
TIPC_CFG_SRV  the number of the service for configuration
TIPC_TOP_SRV  the number of the service that tells who is there
RDS_CANCEL_SENT_TO  option: forget what waits for one destination
RDS_GET_MR        option: let the peer read or write some memory (RDMA)
RDS_GET_MR_FOR_DEST  option: the same, for one destination
RDS_FREE_MR       option: no longer
RDS_RECVERR       option: report failed transfers
RDS_CONG_MONITOR  option: report which destinations are congested
RDS_CMSG_RDMA_*   ancillary data of RDMA transfers
RDS_RDMA_*        flags of RDMA transfers
BTPROTO_L2CAP   messages to a channel of a device; the other protocols stand on it
BTPROTO_RFCOMM  a stream, like a serial cable
BTPROTO_HCI     commands to this machine's own Bluetooth controller
BTPROTO_SCO     sound, in even time
BDADDR_ANY      any of this machine's controllers
BDADDR_LOCAL    this controller
BDADDR_BREDR    type of an address: classic Bluetooth
BDADDR_LE_*     type of an address: low energy, public or random
HCI_FILTER      option: which events of the controller are received
HCI_TIME_STAMP  option: when each was received
HCI_DATA_DIR    option: whether it came or went
HCI_DEV_NONE    no controller
HCI_CHANNEL_*   what an HCI socket is for: raw, the user's own, watching, management
SOL_HCI         the level of HCI's options
SOL_L2CAP       the level of L2CAP's options
SOL_RFCOMM      the level of RFCOMM's options
SOL_SCO         the level of SCO's options
SOL_BLUETOOTH   the level of the options that all of Bluetooth shares
BT_*            an option of Bluetooth sockets, or a value of one: security, power, voice, radio
L2CAP_*         a value for SO_L2CAP_LM
RFCOMM_*        a value for SO_RFCOMM_LM
SO_L2CAP_*      an option of L2CAP
SO_HCI_*        an option of HCI
SO_RFCOMM_*     an option of RFCOMM
SO_SCO_*        an option of SCO
SO_BTH_*        an option of Bluetooth on Windows
HV_PROTOCOL_RAW    the one protocol of AF_HYPERV, and the level of its options
HV_GUID_ZERO       no address
HV_GUID_WILDCARD   for bind(): whoever calls
HV_GUID_BROADCAST  everybody
HV_GUID_CHILDREN   for bind(): only the virtual machines below this one
HV_GUID_LOOPBACK   this machine itself
HV_GUID_PARENT     the host above this virtual machine
HVSOCKET_CONNECT_TIMEOUT      option: how long connect() waits
HVSOCKET_CONNECT_TIMEOUT_MAX  the longest that it may be told to wait
HVSOCKET_CONNECTED_SUSPEND    option: keep the connection while the machine is suspended
HVSOCKET_ADDRESS_FLAG_PASSTHRU  flag of an address: talk past the machine in between
SIO_RCVALL              for ioctl() on Windows: receive every packet of an interface
SIO_KEEPALIVE_VALS      for ioctl() on Windows: keepalive's idle time and interval (notebook 18)
SIO_LOOPBACK_FAST_PATH  for ioctl() on Windows: a shorter way through loopback
RCVALL_OFF              a value for SIO_RCVALL: no
RCVALL_ON               a value for SIO_RCVALL: every packet
RCVALL_SOCKETLEVELONLY  a value for SIO_RCVALL: never built
RCVALL_IPLEVEL          a value for SIO_RCVALL: what the IP layer gets
RCVALL_MAX              how many values there are
SYSPROTO_CONTROL  the protocol of AF_SYSTEM: control of a part of the macOS kernel
"""

WORDS: dict[str, str] = {line.partition(" ")[0]: line.partition(" ")[2].strip() for line in _LINES.strip().splitlines()}
