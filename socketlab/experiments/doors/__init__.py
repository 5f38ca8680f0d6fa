"""Coming and going: the queue of a listener, the states of both ends of a connection, and TIME_WAIT."""
