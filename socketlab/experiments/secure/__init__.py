"""TLS: both ends of a connection, certificates with faults, and what a handshake costs. Needs the library trustme."""
