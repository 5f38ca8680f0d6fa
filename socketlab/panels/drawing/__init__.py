"""How panels look and when they are drawn: style, charts, strips, the painter, and pictures that one panel has."""
