"""The exercises themselves, one file per notebook, or several where it would be long; every file here is
found by itself."""
