"""Below the link panel: a slider for every fault, what they set, and the picture."""
