"""From the results of single runs to medians, ratios and verdicts, and how a figure is written."""

import statistics

from rows import OURS


def main_key(row):
    mode = row.split("/")[0]
    keys = {"rtt": "p50_us", "crowd": "seconds", "pace": "p50_us", "last": "p50_us", "idle": "wakeups_per_s"}
    return keys.get(mode, "msgs_per_s")


def values(measured, peer, key):
    """Of each round in which the peer was measured."""
    if not measured or peer in measured["state"]:
        return {}
    return {r["round"]: r[key] for r in measured["results"].get(peer, [])}


def median(measured, peer, key):
    found = values(measured, peer, key)
    return statistics.median(found.values()) if found else None


def ratios(above, below):
    """Round by round."""
    return [above[n] / below[n] for n in above if below.get(n)]


def ratio(measured, peer, other):
    """Median, least and greatest of the rounds' own ratios."""
    key = main_key(measured["row"])
    found = ratios(values(measured, peer, key), values(measured, other, key))
    return (statistics.median(found), min(found), max(found)) if found else None


def verdict(target, everything):
    """This library's figure, what it was to be, and whether it is (None: not measured)."""
    row, beside = everything.get(target.row), everything.get(target.beside)
    bound = target.bound
    if target.beside:
        found = ratios(values(row, OURS, target.key), values(beside, OURS, target.key))
        told = f"{bound:g} x the one"
        if target.against:
            grown = ratios(values(row, target.against, target.key), values(beside, target.against, target.key))
            bound = max(bound, statistics.median(grown)) if grown else bound
            told = f"{target.bound:g} x, or as {target.against}"
            told += f": {short(statistics.median(grown))} x" if grown else ""
    elif target.against:
        found = ratios(values(row, OURS, target.key), values(row, target.against, target.key))
        told = f"{bound:g} x {target.against}"
    else:
        found = list(values(row, OURS, target.key).values())
        told = f"{bound:,g}" + {"us": " us", "s": "/s"}.get(target.key.rsplit("_", 1)[-1], "")
    told = f"{target.sense} {told}"
    if not found:
        return "-", told, None
    value = statistics.median(found)
    reached = {"<=": value <= bound, "<": value < bound, ">=": value >= bound}[target.sense]
    ratio_of = target.against or target.beside
    return (f"{short(value)} x" if ratio_of else short(value)), told, reached


def short(value):
    """Three digits; large ones with k and M."""
    if value is None:
        return "-"
    for limit, unit in ((1e6, "M"), (1e4, "k")):
        if value >= limit:
            return short(value / {"M": 1e6, "k": 1e3}[unit]) + unit
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def small(value):
    return "-" if value is None else f"{value:.3f}" if value < 0.9995 else short(value)
