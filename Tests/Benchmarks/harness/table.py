"""The table at the end."""

HEAD = ("figure", "nginx proxy_pass", "sluice", "compared", "goal", "verdict")


class Row:
    """One line: what each peer has, and whether the goal was met; figures without a goal are for information."""

    def __init__(self, figure, reference, ours, compared="", goal="", good=None):
        self.good = good
        verdict = "" if good is None else "pass" if good else "MISS"
        self.cells = (figure, reference, ours, compared, goal, verdict)


def show(head, lines):
    lines = [head, *lines]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines.insert(1, tuple("-" * width for width in widths))
    for line in lines:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
