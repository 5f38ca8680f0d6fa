"""Before any test: the environment that notebooks are validated in, and nbval without its slow import."""

from tools.kernels import settle_environment, skip_the_slow_parser

settle_environment()
skip_the_slow_parser()

# pyproject.toml keeps pytest from loading nbval by itself (`-p no:nbval`): that would come before the lines above.
pytest_plugins = ["nbval.plugin"]
