"""The metrics that a PromQL expression names: enough of its grammar for our own alerts and dashboard."""

import re

WORDS = """sum max min avg count topk histogram_quantile rate increase absent by on unless and or without group_left
ignoring offset time clamp_min label_replace last_over_time le inf"""


def metrics_of(expression: str) -> set[str]:
    """Names that are neither functions nor labels."""
    bare = re.sub(r'"(\\.|[^"\\])*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\boffset\s+\w+", "", bare)
    return {word for word in re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare) if word not in WORDS.split()}
