"""`python -m supervisor_easy` is `fleet`."""

from supervisor_easy.cli import main

if __name__ == "__main__":
    main()
