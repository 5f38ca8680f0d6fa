"""Before any test: the environment that notebooks are validated in, and nbval without its slow import."""

import signal

from tools.kernels import settle_environment, skip_the_slow_parser

settle_environment()
skip_the_slow_parser()

# A job that a shell started in the background ignores SIGINT, and so would everything that the tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# pyproject.toml keeps pytest from loading nbval by itself (`-p no:nbval`): that would come before the lines above.
pytest_plugins = ["nbval.plugin"]
