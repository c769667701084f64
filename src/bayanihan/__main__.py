"""`python -m bayanihan`."""

from bayanihan.cli import main

main()
