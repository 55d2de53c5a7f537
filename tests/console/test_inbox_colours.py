"""The colours: text on its ground has a contrast of at least 4.5:1, in both themes."""

from __future__ import annotations

import re

import pytest

from guardtier_workers.console.pages.page import FOLDER

SAID = ("high", "medium", "low", "unknown", "info", "hidden", "added", "removed")
GROUNDS = ("ground", "surface", "raised", "sunken", "hover", "chosen", "code")
TEXT = [(text, ground) for text in ("ink", "ink-soft", "muted", "link") for ground in GROUNDS]
ON_TINTS = [(text, f"{name}-ground") for name in SAID for text in (name, "ink")]
BUTTONS = [(f"on-{name}", ground) for name in ("accent", "danger") for ground in (name, f"{name}-hover")]
EDGES = [(edge, ground) for edge in ("line-strong", "focus") for ground in ("ground", "surface", "sunken")]


def tokens(theme: str) -> dict[str, str]:
    light, dark = (FOLDER / "static/tokens.css").read_text().split("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark)) if theme == "dark" else found


def linear(part: float) -> float:
    return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read(theme: str) -> None:
    colours = tokens(theme)

    poor = {
        (text, ground): round(contrast(colours[text], colours[ground]), 2)
        for text, ground in (*TEXT, *ON_TINTS, *BUTTONS)
        if contrast(colours[text], colours[ground]) < 4.5
    }

    assert poor == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_edges_of_controls_can_be_seen(theme: str) -> None:
    colours = tokens(theme)

    assert [pair for pair in EDGES if contrast(colours[pair[0]], colours[pair[1]]) < 3] == []
