"""Where output goes: a rich console that never invents markup, colours or width.

Names and messages from the cluster may hold `[...]`, which rich would take for markup, or escape sequences. Colour
follows the terminal and NO_COLOR; where there is no terminal a line has 80 columns unless $COLUMNS says more.
"""

from typing import Any

import click
from rich.console import Console, RenderableType
from rich.text import Text

from penstock.cli.text import printable

ASCII = str.maketrans({"●": "#", "○": "o", "✕": "x", "→": ">", "…": "~"})
"""What we draw with, for terminals whose alphabet is not Unicode."""


def console(*, err: bool = False) -> Console:
    """For this very moment's stdout or stderr."""
    return Console(stderr=err, highlight=False, markup=False, emoji=False, safe_box=True)


def emit(renderable: RenderableType) -> None:
    """Print to stdout, without the blanks with which rich fills each line."""
    screen = console()
    with screen.capture() as captured:
        screen.print(renderable)
    text = captured.get() if draws(screen) else captured.get().translate(ASCII)
    lines = (line.rstrip() for line in text.splitlines())
    click.echo("\n".join(lines), color=True)  # rich has decided about colour


def draws(screen: Console) -> bool:
    """Whether it can show what we draw with."""
    return screen.encoding.lower().startswith("utf")


def plain(text: object, style: str = "", **attributes: Any) -> Text:
    """Text as it is, without control characters."""
    return Text(printable(str(text)), style=style, **attributes)
