"""Below the address panel: what is asked of the resolver, what stays on this machine, and how it is told."""
