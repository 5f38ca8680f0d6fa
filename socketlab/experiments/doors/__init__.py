"""Coming and going: the queue of a listener, and TIME_WAIT."""
