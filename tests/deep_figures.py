"""What deep tests measured, for the bench's table of demands (`docs/bench`)."""

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "docs" / "bench" / "deep.json"


def note(section: str, **figures: float) -> None:
    """Keep the figures of one section; other sections stay as they are."""
    known: dict[str, dict[str, Any]] = {}
    if FILE.exists():
        known = json.loads(FILE.read_text())
    rounded = {key: round(value, 3) for key, value in figures.items()}
    known[section] = {**known.get(section, {}), **rounded}
    FILE.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
