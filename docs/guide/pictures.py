#!/usr/bin/env python3
"""Writes the guide's pictures, src/pictures/*.svg; with --check it only says whether they are as this file draws them.

Chapters include them as text, so that their colours are those of the page, in light and dark themes.
"""

import sys
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

FOLDER = Path(__file__).parent / "src/pictures"
WIDTH = 480
BOX_WIDTH, BOX_HEIGHT = 104, 42
# Half of the gap between an arrow there and the arrow back.
APART = 7


class Picture:
    """Boxes at points of a plane, and arrows between them."""

    def __init__(self, height, says):
        self.height, self.says, self.parts, self.boxes = height, says, [], {}

    def box(self, name, x, y, label, note=""):
        self.boxes[name] = (x, y)
        left, top = x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2
        self.parts.append(f'<rect x="{left:g}" y="{top:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" '
                          f'fill="currentColor" fill-opacity="0.08" stroke="currentColor" stroke-width="1.5"/>')
        below = 5 if not note else -2
        self.text(x, y + below, label, 15 if len(label) < 10 else 13, "bold")
        if note:
            self.text(x, y + 14, note, 12)

    def text(self, x, y, text, size=13, weight="normal"):
        bold = f' font-weight="{weight}"' if weight != "normal" else ""
        self.parts.append(f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="middle" fill="currentColor"{bold}>'
                          f'{escape(text)}</text>')

    def arrow(self, start, end, label="", aside=0, kind="", at=0.5):
        """From one box to another one, `aside` to the left of the way; dashed if `kind` is "late", crossed out if "lost"."""
        (x1, y1), (x2, y2) = self.boxes[start], self.boxes[end]
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        dx, dy = (x2 - x1) / length, (y2 - y1) / length
        x1, y1, x2, y2 = x1 + aside * dy, y1 - aside * dx, x2 + aside * dy, y2 - aside * dx
        x1, y1 = edge(x1, y1, dx, dy, self.boxes[start], 2)
        x2, y2 = edge(x2, y2, -dx, -dy, self.boxes[end], 4)
        dash = ' stroke-dasharray="5 4"' if kind in ("late", "lost") else ""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor" stroke-width="1.5"{dash}/>')
        wing = [(x2 - 9 * dx - s * 4.5 * dy, y2 - 9 * dy + s * 4.5 * dx) for s in (1, -1)]
        self.parts.append('<path d="M{:.1f} {:.1f}L{:.1f} {:.1f}L{:.1f} {:.1f}Z" fill="currentColor"/>'.format(x2, y2, *wing[0], *wing[1]))
        mx, my = x1 + (x2 - x1) * at, y1 + (y2 - y1) * at
        if kind == "lost":
            self.parts.append(f'<path d="M{mx - 6:.1f} {my - 6:.1f}l12 12m0 -12l-12 12" stroke="currentColor" stroke-width="2.5"/>')
        if label:
            side = 1 if aside >= 0 else -1
            # On the side that the arrow is shifted to, clear of the line where that is steep.
            below = 12 if side * dx < 0 else 0
            self.text(mx, my - side * (7 * dx + 10 * abs(dy) * (1 if dx > 0 else -1)) + below, label)

    def both(self, a, b, there="", back=""):
        self.arrow(a, b, there, APART)
        self.arrow(b, a, back, APART)

    def svg(self):
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" role="img" '
                f'aria-label={quoteattr(self.says)} font-family="sans-serif">')
        return "\n".join([head, *self.parts, "</svg>"]) + "\n"


def edge(x, y, dx, dy, box, gap):
    """Where a ray from near the middle of a box leaves it, and a little further."""
    bx, by = box
    across = (bx + (BOX_WIDTH / 2 if dx > 0 else -BOX_WIDTH / 2) - x) / dx if abs(dx) > 1e-9 else float("inf")
    along = (by + (BOX_HEIGHT / 2 if dy > 0 else -BOX_HEIGHT / 2) - y) / dy if abs(dy) > 1e-9 else float("inf")
    way = min(across, along) + gap
    return x + way * dx, y + way * dy


def pair():
    p = Picture(170, "Two PAIR sockets send to each other; a third one waits until the place is free.")
    p.box("a", 90, 40, "PAIR")
    p.box("b", 390, 40, "PAIR")
    p.box("c", 390, 140, "PAIR", "waits")
    p.both("a", "b", "any time", "any time")
    p.arrow("c", "a", kind="lost")
    return p


def pubsub():
    p = Picture(210, "A PUB sends each message to the SUBs that subscribed to its beginning.")
    p.box("pub", 80, 105, "PUB")
    p.box("s1", 395, 35, "SUB", "“paris”")
    p.box("s2", 395, 105, "SUB", "“” (all)")
    p.box("s3", 395, 175, "SUB", "“rome”")
    p.arrow("pub", "s1", "paris 17", at=0.55)
    p.arrow("pub", "s2", "paris 17", at=0.6)
    p.arrow("pub", "s3", kind="lost")
    return p


def reqrep():
    p = Picture(210, "A REQ sends a request to one REP and gets its reply; the next request goes to the next REP.")
    p.box("q1", 80, 50, "REQ")
    p.box("q2", 80, 160, "REQ")
    p.box("r1", 395, 50, "REP")
    p.box("r2", 395, 160, "REP")
    p.both("q1", "r1", "request", "reply")
    p.both("q2", "r2", "request", "reply")
    p.arrow("q1", "r2", "next request", kind="late", at=0.72)
    return p


def pipeline():
    p = Picture(210, "A PUSH gives each job to one of the PULLs, in turn; the workers push results to one PULL.")
    p.box("push", 62, 105, "PUSH", "jobs")
    for number, y in enumerate((35, 105, 175), 1):
        p.box(f"w{number}", 240, y, "PULL, PUSH", f"worker {number}")
        p.arrow("push", f"w{number}", f"job {number}")
    p.box("sink", 418, 105, "PULL", "results")
    for number in (1, 2, 3):
        p.arrow(f"w{number}", "sink")
    return p


def survey():
    p = Picture(210, "A SURVEYOR asks all RESPONDENTs; answers that come before the deadline are received.")
    p.box("s", 85, 105, "SURVEYOR")
    p.box("r1", 390, 35, "RESPONDENT")
    p.box("r2", 390, 105, "RESPONDENT")
    p.box("r3", 390, 175, "RESPONDENT", "too late")
    p.both("s", "r1")
    p.arrow("s", "r2", "survey", APART, at=0.6)
    p.arrow("r2", "s", "answer", APART, at=0.25)
    p.arrow("s", "r3", aside=APART)
    p.arrow("r3", "s", aside=APART, kind="lost")
    return p


def bus():
    p = Picture(200, "Each BUS sends to all BUSes that it is connected with; nobody forwards.")
    p.box("a", 240, 35, "BUS")
    p.box("b", 80, 155, "BUS")
    p.box("c", 400, 155, "BUS")
    p.both("a", "b")
    p.both("a", "c")
    p.both("b", "c")
    return p


def device():
    p = Picture(210, "A device stands between clients and workers, and both sides know only its two addresses.")
    p.box("c1", 62, 45, "REQ")
    p.box("c2", 62, 165, "REQ")
    p.box("d", 240, 105, "REP | REQ", "device")
    p.box("w1", 418, 45, "REP")
    p.box("w2", 418, 165, "REP")
    for client in ("c1", "c2"):
        p.both(client, "d")
    for worker in ("w1", "w2"):
        p.both("d", worker)
    p.text(240, 62, "tcp://*:5555 | tcp://*:5556", 12)
    return p


def tree():
    p = Picture(250, "A tree of devices forwards a publisher's messages; subscriptions travel up.")
    p.box("pub", 240, 30, "PUB")
    p.box("d1", 130, 125, "SUB | PUB", "device")
    p.box("d2", 350, 125, "SUB | PUB", "device")
    for number, (x, above) in enumerate(((62, "d1"), (182, "d1"), (302, "d2"), (418, "d2"))):
        p.box(f"s{number}", x, 220, "SUB")
        p.arrow(above, f"s{number}")
    p.arrow("pub", "d1")
    p.arrow("pub", "d2")
    return p


PICTURES = [pair, pubsub, reqrep, pipeline, survey, bus, device, tree]


def main():
    drawn = {FOLDER / f"{picture.__name__}.svg": picture().svg() for picture in PICTURES}
    there = {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*")}
    if "--check" in sys.argv:
        if drawn != there:
            sys.exit("docs/guide/src/pictures is not what docs/guide/pictures.py draws: run it")
        return
    for path in there.keys() - drawn.keys():
        path.unlink()
    for path, text in drawn.items():
        path.write_text(text, encoding="utf-8")


main()
