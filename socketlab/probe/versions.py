"""Software: the versions that the course stands on, and what to type where something is missing.

No part of a passport, which is about sockets; `python -m socketlab doctor` prints both. Versions are read from the
installed packages' metadata;
nothing is imported: to import matplotlib for its version would take most of a second.
"""

from socketlab.probe.passport import Finding

NEEDED = ("jupyterlab", "ipykernel", "ipywidgets", "matplotlib", "nbval", "psutil", "trustme")


def software() -> tuple[Finding, ...]:
    """Python, the kernel, and each of `NEEDED`; a missing package's detail says what to type."""
    import platform  # late, as importlib.metadata below: a probe needs neither

    return (
        Finding("software", "python", True, None, platform.python_version(), "platform.python_version()"),
        Finding("software", "kernel", True, None, f"{platform.system()} {platform.release()}", "uname(2)"),
        *(_package(name) for name in NEEDED),
    )


def _package(name: str) -> Finding:
    from importlib import metadata

    try:
        return Finding("software", name, True, None, metadata.version(name), "the package's metadata")
    except metadata.PackageNotFoundError:
        return Finding("software", name, False, None, f"missing: pip install {name}", "the package's metadata")
