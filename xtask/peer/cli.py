"""The program `metaxy` of Python Metaxy, with the extensions that are there."""

import offline  # noqa: F401
from metaxy.cli.app import main

main()
