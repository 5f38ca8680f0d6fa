"""The exercises themselves, one file per notebook; every file here is found by itself."""
