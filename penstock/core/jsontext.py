"""JSON that stands in an annotation, so anybody may have written it.

The trap is half a character, `"\\ud800"`: the API server takes it as six characters of text, Python reads one that it
cannot write any more, neither to the API server nor to a log, so whatever quotes it fails somewhere else.
"""

import json
from typing import Any


def parsed(text: str) -> Any:
    """The value. Raises ValueError on what is no JSON, or could not be written again."""
    value = json.loads(text)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value
