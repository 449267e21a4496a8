"""`python -m assent_local` is `assent`."""

from assent_local.cli import main

main()
