"""What a trace shows: the ladder as text (`ladder_text`, with `text_…`) and as a picture (`ladder_picture`, with
`ladder_…`), the `timeline`, the `table`. They take the `Event`s of a trace and know nothing of how they were recorded.
"""
