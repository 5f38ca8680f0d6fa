"""Below the panel of TCP's states: two sockets and a listener, where the kernel has them, and the diagram."""
