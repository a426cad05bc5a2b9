# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The SVG of a QR code as a picture, for a real decoder."""

from __future__ import annotations

import re

from PIL import Image, ImageDraw


def picture_of(html, folder):
    """The SVG's strokes drawn as a browser does, 8 pixels a module."""
    size = int(re.search(r'viewBox="0 0 (\d+)', html).group(1))
    image = Image.new("L", (size * 8, size * 8), 255)
    draw = ImageDraw.Draw(image)
    x = y = 0.0
    for command, numbers in re.findall(r"([Mmh])([-0-9. ]+)", re.search(r' d="([^"]+)"', html).group(1)):
        values = [float(number) for number in re.findall(r"-?[0-9.]+", numbers)]
        if command == "M":
            x, y = values
        elif command == "m":
            x, y = x + values[0], y + values[1]
        else:
            draw.rectangle([x * 8, (y - 0.5) * 8, (x + values[0]) * 8 - 1, (y + 0.5) * 8 - 1], fill=0)
            x += values[0]
    path = folder / "picture.png"
    image.save(path)
    return path
