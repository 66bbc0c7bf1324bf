"""`python -m tools.reference`: writes the pages that are not what the code says."""

from tools.reference.pages import DIRECTORY, PAGES


def main() -> None:
    """Every page."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (DIRECTORY / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
