"""`python -m penstock.cli`: the command line where nothing is installed that a shell would find, as in the image."""

from penstock.cli.main import main

if __name__ == "__main__":
    main()
