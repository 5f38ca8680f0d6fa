"""What becomes of datagrams: on the way, and in the receiver's buffer."""
