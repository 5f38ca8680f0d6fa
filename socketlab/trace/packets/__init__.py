"""From calls to packets: who talked with whom, which bytes went when, how it began and ended, and the headers.

`headers` makes bytes and knows nothing of calls. `attempts`, `streams` and `endings` each answer one question about the
calls of one side or two. `conversations` finds the sides, `segments` puts it all in order. Nothing here writes a file.
"""
