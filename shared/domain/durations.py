"""How long something took or is ago, for people."""


def rough(seconds: float) -> str:
    """A duration in its largest fitting unit, the same in every language: 45 s, 12 min, 3 h, 5 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
