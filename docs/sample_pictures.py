"""Draws the pictures of the sample newspaper: `python -m docs.sample_pictures`.

Flat scenes of simple shapes, so that nobody's photograph is needed. Written once; run again after a change.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT, SCALE = 1184, 666, 2
TARGET = Path(__file__).resolve().parents[1] / "digest" / "sample" / "pictures"

Colour = tuple[int, int, int]
Scene = Callable[["Canvas"], None]


def mix(a: Colour, b: Colour, share: float) -> Colour:
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def rgb(code: str) -> Colour:
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


class Canvas:
    """Shapes in picture coordinates on a larger sheet, for smooth edges."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE))
        self.draw = ImageDraw.Draw(self.image, "RGBA")
        self.dice = random.Random(7)  # the same picture each time

    def sky(self, top: str, bottom: str, until: float = HEIGHT) -> None:
        a, b = rgb(top), rgb(bottom)
        for y in range(round(until * SCALE)):
            self.draw.line([(0, y), (WIDTH * SCALE, y)], fill=mix(a, b, y / (until * SCALE)))

    def box(self, x: float, y: float, w: float, h: float, fill: str, alpha: int = 255, r: float = 0) -> None:
        area = (x * SCALE, y * SCALE, (x + w) * SCALE, (y + h) * SCALE)
        self.draw.rounded_rectangle(area, radius=r * SCALE, fill=(*rgb(fill), alpha))

    def disc(self, x: float, y: float, r: float, fill: str, alpha: int = 255, squash: float = 1) -> None:
        area = ((x - r) * SCALE, (y - r * squash) * SCALE, (x + r) * SCALE, (y + r * squash) * SCALE)
        self.draw.ellipse(area, fill=(*rgb(fill), alpha))

    def shape(self, points: Sequence[tuple[float, float]], fill: str, alpha: int = 255) -> None:
        self.draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=(*rgb(fill), alpha))

    def line(self, points: list[tuple[float, float]], fill: str, width: float, alpha: int = 255) -> None:
        self.draw.line(
            [(x * SCALE, y * SCALE) for x, y in points],
            fill=(*rgb(fill), alpha),
            width=round(width * SCALE),
            joint="curve",
        )

    def hills(self, base: float, swing: float, fill: str, phase: float = 0, length: float = 300) -> None:
        top = [
            (x, base + swing * math.sin(x / length + phase) + swing / 3 * math.sin(x / length * 2.7 + phase))
            for x in range(0, WIDTH + 8, 8)
        ]
        self.shape([*top, (WIDTH, HEIGHT), (0, HEIGHT)], fill)

    def stars(self, count: int, until: float) -> None:
        for _ in range(count):
            x, y = self.dice.uniform(0, WIDTH), self.dice.uniform(0, until)
            self.disc(x, y, self.dice.uniform(0.7, 1.9), "FFFFFF", self.dice.randint(90, 220))

    def glow(self, x: float, y: float, r: float, fill: str, strength: int = 120) -> None:
        layer = Image.new("RGBA", self.image.size, (0, 0, 0, 0))
        area = ((x - r) * SCALE, (y - r) * SCALE, (x + r) * SCALE, (y + r) * SCALE)
        ImageDraw.Draw(layer).ellipse(area, fill=(*rgb(fill), strength))
        layer = layer.filter(ImageFilter.GaussianBlur(r * SCALE / 3))
        self.image.paste(layer, (0, 0), layer)

    def town(self, base: float, fill: str, windows: str = "", low: float = 40, high: float = 150) -> None:
        x = -10.0
        while x < WIDTH:
            w, h = self.dice.uniform(46, 96), self.dice.uniform(low, high)
            self.box(x, base - h, w, h + 4, fill)
            if self.dice.random() < 0.5:
                self.shape([(x, base - h), (x + w / 2, base - h - 26), (x + w, base - h)], fill)
            if windows:
                for wx in range(round(x) + 10, round(x + w) - 12, 18):
                    for wy in range(round(base - h) + 12, round(base) - 14, 24):
                        if self.dice.random() < 0.45:
                            self.box(wx, wy, 8, 12, windows, 220, 1)
            x += w + self.dice.uniform(-4, 6)

    def waves(self, top: float, colours: list[str]) -> None:
        for i, colour in enumerate(colours):
            self.hills(top + i * 46, 7, colour, phase=i * 1.7, length=70 + i * 22)

    def person(self, x: float, foot: float, size: float, coat: str, skin: str = "E8B796") -> None:
        self.shape(
            [
                (x - size * 0.17, foot - size * 0.72),
                (x + size * 0.17, foot - size * 0.72),
                (x + size * 0.26, foot),
                (x - size * 0.26, foot),
            ],
            coat,
        )
        self.disc(x, foot - size * 0.72, size * 0.17, coat)
        self.disc(x, foot - size * 0.95, size * 0.14, skin)

    def boat(self, x: float, water: float, size: float, hull: str, cabin: str, window: str) -> None:
        self.shape(
            [
                (x, water - size * 0.22),
                (x + size, water - size * 0.22),
                (x + size * 0.88, water + size * 0.06),
                (x + size * 0.1, water + size * 0.06),
            ],
            hull,
        )
        self.box(x + size * 0.16, water - size * 0.38, size * 0.6, size * 0.17, cabin, r=4)
        self.box(x + size * 0.3, water - size * 0.51, size * 0.3, size * 0.14, cabin, r=4)
        for i in range(5):
            self.box(x + size * (0.2 + i * 0.11), water - size * 0.35, size * 0.065, size * 0.08, window, r=3)
        self.box(x + size * 0.5, water - size * 0.62, size * 0.07, size * 0.13, "9E1B32")

    def save(self, name: str) -> None:
        small = self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        small.save(TARGET / f"{name}.jpg", quality=80, optimize=True, progressive=True)


def ferry(c: Canvas) -> None:
    c.sky("0B1A33", "3A4C77", 420)
    c.stars(130, 300)
    c.disc(930, 120, 46, "F6EBCB")
    c.town(424, "142443", "F4C66B", 40, 140)
    c.box(0, 420, WIDTH, 246, "13294B")
    for y in range(428, 560, 11):
        reach = 16 + (y - 420) * 0.55
        c.box(930 - reach / 2 + c.dice.uniform(-9, 9), y, reach, 4, "F6EBCB", 150 - (y - 420) // 2, 2)
    c.glow(420, 470, 190, "F4C66B", 60)
    c.boat(200, 520, 480, "F3F1EC", "D8DDE8", "FFD77A")
    c.shape([(214, 453), (663, 453), (657, 468), (219, 468)], "9E1B32")
    for x in range(262, 640, 44):
        c.disc(x, 494, 9, "FFD77A")
    for x in range(362, 460, 40):
        c.box(x, 292, 24, 22, "FFD77A", r=3)
    c.waves(548, ["17315A", "12274A", "0D1E3A"])
    for x in range(300, 580, 53):  # its windows, in the water
        for y in range(574, 640, 13):
            c.box(x + c.dice.uniform(-5, 5), y, 26 - (y - 574) / 4, 3, "FFD77A", 110 - (y - 574), 2)


def tide(c: Canvas) -> None:
    c.sky("2B2320", "4A3A30")
    c.glow(592, 333, 330, "D9A85B", 70)
    c.disc(592, 333, 270, "7A5527")
    c.disc(592, 333, 252, "D9A85B")
    c.disc(592, 333, 226, "F4E7C8")
    for i in range(60):
        angle, long = math.tau * i / 60, i % 5 == 0
        inner = 186 if long else 202
        c.line(
            [
                (592 + inner * math.sin(angle), 333 - inner * math.cos(angle)),
                (592 + 216 * math.sin(angle), 333 - 216 * math.cos(angle)),
            ],
            "4A3018",
            7 if long else 3,
        )
    # The sea fills the dial to the height of the tide.
    across = range(-174, 175, 6)
    surface = [(592 + x, 395 + 9 * math.sin(x / 26)) for x in across]
    bottom = [(592 + x, 333 + math.sqrt(178**2 - x**2)) for x in reversed(across)]
    c.shape(
        [p for p in surface if (p[0] - 592) ** 2 + (p[1] - 333) ** 2 < 178**2]
        + [p for p in bottom if p[1] > 400],
        "3E7C93",
        210,
    )
    for angle, length, width in ((0.9, 130, 13), (3.75, 185, 8)):
        c.line(
            [
                (592 - 30 * math.sin(angle), 333 + 30 * math.cos(angle)),
                (592 + length * math.sin(angle), 333 - length * math.cos(angle)),
            ],
            "22303C",
            width,
        )
    c.disc(592, 333, 17, "9E1B32")


def bakery(c: Canvas) -> None:
    c.sky("F7D9A8", "F2B880")
    c.box(180, 110, 824, 470, "7B3F2A", r=6)
    c.box(210, 260, 500, 260, "FFF3D6", r=4)
    c.box(760, 250, 200, 330, "4B2A20", r=4)
    c.box(785, 280, 150, 150, "FFE2A6", r=3)
    for i in range(14):
        c.shape(
            [(170 + i * 60, 170), (230 + i * 60, 170), (224 + i * 60, 246), (176 + i * 60, 246)],
            "9E1B32" if i % 2 else "FFF7E8",
        )
    for row in range(2):
        c.box(226, 370 + row * 110, 468, 10, "A86B3C")
        for i in range(5):
            c.disc(280 + i * 90, 346 + row * 110, 40, "C57F3B", squash=0.62)
            for k in (-14, 0, 14):
                c.line(
                    [(274 + i * 90 + k, 334 + row * 110), (284 + i * 90 + k, 352 + row * 110)], "8A4F22", 4
                )
    c.box(0, 576, WIDTH, 90, "B98A63")
    c.box(60, 520, 300, 16, "5B3A29", r=4)
    for x in (80, 330):
        c.box(x, 536, 12, 50, "5B3A29")
    for x, coat in ((120, "2F5D62"), (190, "9A5B7A"), (270, "3B4B7A")):
        c.person(x, 560, 150, coat)


def choir(c: Canvas) -> None:
    c.sky("3C2A33", "6B4A45")
    for shelf in range(4):
        y = 60 + shelf * 92
        c.box(0, y + 74, WIDTH, 10, "2A1B1D")
        x = 0.0
        while x < WIDTH:
            w, h = c.dice.uniform(10, 26), c.dice.uniform(46, 72)
            c.box(
                x,
                y + 74 - h,
                w - 2,
                h,
                c.dice.choice(["8A4B3C", "B98A4B", "4E6B66", "5B4A6B", "A4473F", "D2B48C"]),
            )
            x += w
    c.glow(592, 260, 300, "F4D58A", 70)
    coats = ["1F3A4D", "7A2E3E", "335C4B", "4A3B66", "8A5A2B", "2B2B3B"]
    for row, (foot, size) in enumerate(((500, 170), (580, 200), (700, 240))):
        for i in range(15 - row * 3):
            x = 40 + i * (WIDTH - 60) / (14 - row * 3) + c.dice.uniform(-10, 10)
            c.person(
                x, foot, size, c.dice.choice(coats), c.dice.choice(["E8B796", "B97F5A", "7A4B34", "F1CDB0"])
            )
            c.box(x - size * 0.14, foot - size * 0.6, size * 0.28, size * 0.18, "F6F1E4", r=2)


def bridge(c: Canvas) -> None:
    c.sky("C9D6DF", "F2E3D0", 470)
    c.hills(400, 34, "A9B9B4", 1)
    c.box(0, 470, WIDTH, 196, "7FA0AE")
    for x in (300, 850):
        c.box(x, 110, 34, 430, "6E4A3A")
        c.box(x - 22, 520, 78, 60, "4E342A")
    for a, b, sag in ((317, 867, 260), (-60, 317, 150), (867, 1244, 150)):
        cable = [(a + (b - a) * t / 40, 130 + sag * 4 * (t / 40) * (1 - t / 40)) for t in range(41)]
        c.line(cable, "3B2A24", 6)
        for hanger, y in cable[2:-2:2]:
            c.line([(hanger, y), (hanger, 412)], "3B2A24", 2)
    c.box(0, 408, WIDTH, 16, "4E342A")
    for i in range(9):
        c.box(412 + i * 40, 374, 24, 34, "9E1B32" if i % 2 else "FFFEFC")
    c.waves(530, ["7396A5", "67899A", "5A7B8C"])


def rowing(c: Canvas) -> None:
    c.sky("F9D8B4", "F4B394", 330)
    c.disc(860, 230, 74, "FFF1D0")
    c.hills(300, 20, "A77D80", 2)
    c.box(0, 320, WIDTH, 346, "C98F7E")
    c.waves(360, ["B67C72", "9A6768", "7D545C", "5E414D"])
    c.shape([(120, 470), (1060, 470), (960, 512), (220, 512)], "3A2430")
    for i in range(4):
        x = 310 + i * 180
        c.person(x, 486, 150, ["9E1B32", "2F5D62", "D9A441", "4A3B66"][i])
        c.disc(x, 338, 21, "E6E3DE")
        c.disc(x, 348, 17, "E8B796")
        c.line([(x + 10, 420), (x + 120, 560)], "F3E4D2", 7)
        c.disc(x + 124, 566, 20, "9E1B32", squash=0.5)


def bees(c: Canvas) -> None:
    c.sky("BFE3EE", "F4F0D9")
    c.disc(1020, 120, 60, "FFE08A")
    c.box(90, 300, 1004, 280, "9E1B32", r=34)
    c.box(90, 420, 1004, 30, "FFF3DC")
    for i in range(7):
        c.box(130 + i * 136, 330, 104, 84, "FBF7E9", r=10)
    for x in (260, 420, 760, 920):
        c.disc(x, 584, 40, "2B2B30")
        c.disc(x, 584, 16, "9A9A9A")
    for i in range(64):
        stem, h = 108 + i * 15.3, c.dice.uniform(14, 64)
        c.line([(stem, 302), (stem + c.dice.uniform(-6, 6), 302 - h)], "4B7A4A", 4)
        c.disc(stem, 300 - h, c.dice.uniform(6, 12), c.dice.choice(["E86A8A", "FFD04A", "FFFFFF", "B583C9"]))
    for x, y in ((220, 130), (430, 190), (640, 110), (830, 180), (960, 240)):
        c.disc(x - 8, y - 14, 14, "FFFFFF", 190, 0.7)
        c.disc(x + 10, y - 14, 14, "FFFFFF", 190, 0.7)
        c.disc(x, y, 20, "F2B91D", squash=0.7)
        for k in (-7, 3, 12):
            c.box(x + k - 2, y - 12, 5, 24, "2A2118", r=2)


def crane(c: Canvas) -> None:
    c.sky("F0C99A", "F7E9D0", 480)
    c.town(482, "B98F76", "", 30, 90)
    c.box(0, 480, WIDTH, 186, "56707E")
    for x, size, colour in ((170, 1.0, "2F4A5A"), (760, 0.8, "476472")):
        c.line([(x, 500), (x + 60 * size, 120)], colour, 16)
        c.line([(x + 120 * size, 500), (x + 60 * size, 120)], colour, 16)
        for k in range(1, 6):
            c.line([(x + 10 * k * size, 500 - 63 * k), (x + (120 - 10 * k) * size, 500 - 63 * k)], colour, 6)
        c.line([(x - 60, 170), (x + 60 * size, 110), (x + 430 * size, 150)], colour, 14)
        c.line([(x + 400 * size, 150), (x + 400 * size, 330)], "22303C", 4)
    c.boat(420, 520, 520, "9E1B32", "F3F1EC", "6A8796")
    c.waves(560, ["4C6472", "415765", "364A57"])


def cinema(c: Canvas) -> None:
    c.sky("1B1733", "3A2A55")
    c.town(620, "120F24", "F4C66B", 60, 180)
    c.box(300, 120, 584, 510, "5B2333", r=8)
    c.glow(592, 300, 330, "FFD77A", 70)
    c.box(250, 270, 684, 110, "FFF3D6", r=10)
    c.box(268, 288, 648, 74, "9E1B32", r=6)
    for i in range(9):
        c.box(300 + i * 66, 308, 46, 34, "FFF3D6", r=4)
    for i in range(23):
        for y in (266, 384):
            c.disc(262 + i * 30, y, 7, "FFE08A")
    c.box(548, 130, 88, 130, "FFD77A", r=8)
    c.disc(592, 170, 26, "9E1B32")
    for x in (360, 500, 620, 760):
        c.box(x, 430, 90, 190, "FFE2A6", 230, 4)
    c.box(0, 620, WIDTH, 46, "0F0C1C")
    for i in range(8):
        c.person(80 + i * 46, 640, 120, c.dice.choice(["2F5D62", "4A3B66", "8A5A2B", "33405C"]))


def market(c: Canvas) -> None:
    c.sky("BFE0EA", "F7EFD9", 470)
    c.town(470, "C9A48A", "7B5A4B", 120, 240)
    c.box(0, 468, WIDTH, 198, "CDB79A")
    for i, colour in enumerate(("9E1B32", "2F6B5B", "D9A441", "3B5B8A")):
        x = 40 + i * 290
        c.box(x + 14, 330, 8, 230, "5B3A29")
        c.box(x + 218, 330, 8, 230, "5B3A29")
        for k in range(6):
            c.shape(
                [
                    (x + k * 40, 290),
                    (x + k * 40 + 40, 290),
                    (x + k * 40 + 40, 346),
                    (x + k * 40 + 20, 360),
                    (x + k * 40, 346),
                ],
                colour if k % 2 else "FFFAF0",
            )
        c.box(x, 470, 240, 90, "8A5B3C", r=4)
        for k in range(22):
            c.disc(
                x + 16 + (k % 11) * 21,
                462 - (k // 11) * 15,
                11,
                c.dice.choice(["D94F3D", "E8A33D", "6A9A4B", "7A3B6B", "F2D04A"]),
            )
    for x in (230, 520, 640, 900, 1120):
        c.person(x, 640, 190, c.dice.choice(["2F5D62", "4A3B66", "8A5A2B", "7A2E3E"]))


def stadium(c: Canvas) -> None:
    c.sky("21385C", "7D9AB5", 330)
    c.box(0, 250, WIDTH, 130, "3A4658")
    for row in range(6):
        for i in range(92):
            c.disc(
                8 + i * 13,
                266 + row * 19,
                6,
                c.dice.choice(["9E1B32", "F3F1EC", "C94F5E", "D9C7A4", "5A6C84"]),
            )
    for i in range(8):
        c.box(i * 148, 376, 148, 290, "4B8A4B" if i % 2 else "549654")
    c.line([(0, 440), (WIDTH, 440)], "FFFFFF", 5)
    c.line([(380, 376), (380, 300), (804, 300), (804, 376)], "FFFFFF", 9)
    for x in (70, 1110):
        c.box(x, 60, 10, 200, "2A3342")
        c.box(x - 46, 36, 102, 44, "F6F1D0", r=6)
        c.glow(x + 5, 60, 120, "FFF7D0", 90)
    c.disc(592, 560, 40, "FFFFFF")
    for angle in range(0, 360, 72):
        c.disc(
            592 + 24 * math.cos(math.radians(angle)), 560 + 24 * math.sin(math.radians(angle)), 9, "22262E"
        )
    c.disc(592, 560, 9, "22262E")


def aurora(c: Canvas) -> None:
    c.sky("050B1C", "16324A", 520)
    c.stars(220, 420)
    for band, (base, colour) in enumerate(((210, "4BE3A0"), (270, "7CF0B8"), (180, "C9608A"))):
        layer = Image.new("RGBA", c.image.size, (0, 0, 0, 0))
        pen = ImageDraw.Draw(layer)
        for x in range(0, WIDTH, 3):
            y = base + 60 * math.sin(x / 170 + band) + 24 * math.sin(x / 61 + band * 2)
            height = 150 + 60 * math.sin(x / 37 + band)
            pen.line(
                [(x * SCALE, (y - height) * SCALE), (x * SCALE, (y + 60) * SCALE)],
                fill=(*rgb(colour), 70 if band < 2 else 46),
                width=3 * SCALE,
            )
        layer = layer.filter(ImageFilter.GaussianBlur(14 * SCALE))
        c.image.paste(layer, (0, 0), layer)
    c.draw = ImageDraw.Draw(c.image, "RGBA")
    c.hills(500, 22, "0C1A26", 0.5)
    c.town(600, "070F18", "F4C66B", 30, 90)
    c.box(0, 596, WIDTH, 70, "070F18")
    for i in range(7):
        c.person(420 + i * 52, 650, 120, "04090F", "0B151F")


def snow(c: Canvas) -> None:
    c.sky("8FA6BC", "DDE6EC", 490)
    c.shape([(60, 470), (330, 130), (600, 470)], "B9C8D5")
    c.shape([(480, 470), (780, 90), (1100, 470)], "C8D4DE")
    c.shape([(255, 225), (330, 130), (405, 225), (360, 205), (330, 240), (300, 205)], "FFFFFF")
    c.shape([(686, 210), (780, 90), (874, 210), (820, 190), (780, 232), (740, 190)], "FFFFFF")
    c.hills(460, 16, "F2F5F7", 1)
    c.box(430, 380, 320, 150, "6B4633", r=3)
    c.shape([(400, 388), (590, 280), (780, 388)], "FDFEFF")
    c.box(680, 276, 34, 70, "6B4633")
    for x in (470, 540, 640, 700):
        c.box(x, 420, 40, 44, "FFD77A", r=3)
    c.box(590, 410, 36, 120, "3E271C", r=3)
    c.glow(590, 450, 210, "FFD77A", 60)
    c.hills(530, 12, "FBFCFD", 2)
    for _ in range(260):
        c.disc(c.dice.uniform(0, WIDTH), c.dice.uniform(0, HEIGHT), c.dice.uniform(1.5, 4.5), "FFFFFF", 220)


def whale(c: Canvas) -> None:
    c.sky("CFE3EA", "F3E9DA", 330)
    c.town(330, "A8B9BD", "", 20, 70)
    c.box(0, 328, WIDTH, 338, "6A9AA6")
    c.waves(350, ["6294A1", "5A8C9A"])
    c.shape([(330 + t * 6, 480 - 120 * math.sin(math.pi * t / 90)) for t in range(91)], "2E4652")
    c.shape([(690, 372), (730, 322), (748, 390)], "2E4652")
    c.shape([(860, 470), (950, 372), (985, 396), (1040, 360), (970, 470)], "2E4652")
    c.disc(452, 440, 7, "F3F1EC")
    for k in range(6):
        c.line([(356 + k * 7, 474 - k * 4), (420 + k * 26, 480)], "6E8792", 3)
    for k in range(15):
        c.disc(470 + c.dice.uniform(-34, 34), 250 + k * 7, c.dice.uniform(4, 10), "FFFFFF", 170)
    c.waves(470, ["508291", "457684", "3A6876", "2F5A67"])


SCENES: dict[str, Scene] = {
    "ferry": ferry, "tide": tide, "bakery": bakery, "choir": choir, "bridge": bridge, "rowing": rowing,
    "bees": bees, "crane": crane, "cinema": cinema, "market": market, "stadium": stadium, "aurora": aurora,
    "snow": snow, "whale": whale,
}  # fmt: skip


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, scene in SCENES.items():
        canvas = Canvas()
        scene(canvas)
        canvas.save(name)


if __name__ == "__main__":
    main()
