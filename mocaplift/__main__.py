"""`python -m mocaplift` is the same as `mocaplift`."""

from mocaplift.cli import main

if __name__ == "__main__":
    main()
