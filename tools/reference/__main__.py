"""`python -m tools.reference`: writes what is made from the code."""

from tools.reference import dashboard, licences
from tools.reference.pages import DIRECTORY, PAGES


def main() -> None:
    """Every page, and the dashboard."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (DIRECTORY / name).write_text(page(), encoding="utf-8")
    licences.FILE.write_text(licences.page(), encoding="utf-8")
    dashboard.FILE.write_text(dashboard.text(), encoding="utf-8")


if __name__ == "__main__":
    main()
