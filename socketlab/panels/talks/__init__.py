"""Below the server and the request panel: conversations, what is noted of them, and how they look."""
