"""What a stream makes of messages: pieces, and small writes that wait."""
