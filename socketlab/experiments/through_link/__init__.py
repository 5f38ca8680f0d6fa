"""A conversation through a faulty link, watched without ever blocking."""
