# SPDX-License-Identifier: Apache-2.0
"""The rows that all measurements yield, and the table of them."""
import dataclasses

HEADINGS = ("what", "ours", "peer", "ratio", "budget", "met")


@dataclasses.dataclass(frozen=True)
class Budget:
    """What design and issues promise; `of` names the figure that is held against it."""
    text: str
    most: float | None = None
    least: float | None = None
    of: str = "ours"

    def met_by(self, row):
        figure = getattr(row, self.of)
        if figure is None:
            return None
        return (self.most is None or figure <= self.most) and (self.least is None or figure >= self.least)


@dataclasses.dataclass
class Row:
    what: str
    ours: float
    unit: str
    peer: str | None = None
    theirs: float | None = None
    ratio: float | None = None  # theirs over ours: the median of those of all turns, where there were several
    budget: Budget | None = None
    judged: bool = True  # false: the figure of a short run, which says nothing about the budget

    def __post_init__(self):
        if self.ratio is None and self.theirs is not None and self.ours > 0:
            self.ratio = self.theirs / self.ours

    @property
    def met(self):
        return self.budget.met_by(self) if self.budget and self.judged else None

    def as_json(self):
        return {"what": self.what, "ours": self.ours, "unit": self.unit, "peer": self.peer, "theirs": self.theirs,
                "ratio": self.ratio, "budget": self.budget and self.budget.text, "met": self.met}

    def cells(self):
        theirs = "" if self.theirs is None else f"{figure(self.theirs)} {self.unit}".rstrip() + f"  {self.peer}"
        met = {True: "yes", False: "NO", None: ""}[self.met]
        return (self.what, f"{figure(self.ours)} {self.unit}".rstrip(), theirs,
                "" if self.ratio is None else f"{figure(self.ratio)} x",
                self.budget.text if self.budget else "", met)


def figure(value):
    """Three digits that count; whole numbers in full."""
    if value == int(value) and abs(value) < 1e12:
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if abs(value) < 10 else 1}f}" if abs(value) >= 0.1 else f"{value:.3f}"


def render(parts):
    """Text of [(title, rows)]: one table, all parts with the same columns."""
    cells = [(title, [row.cells() for row in rows]) for title, rows in parts]
    lines = [HEADINGS] + [line for _, part in cells for line in part]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]

    def text(line):
        return "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
    out = [text(HEADINGS), "-" * (sum(widths) + 2 * (len(widths) - 1))]
    for title, part in cells:
        out += ["", title] + [text(line) for line in part]
    return "\n".join(out)
