"""Writes the price series that the feed replays: lines SYMBOL,PRICE.

usage: prices.py FILE

The prices are monthly closes of five companies, from the data of the PyPI package vega_datasets.
Where that is not installed they are made up, and FILE says so in its first line.
"""

import csv
import importlib.util
import os
import random
import sys
from pathlib import Path


def recorded() -> list[tuple[str, float]]:
    # The package wants pandas when it is imported; its data does not.
    package = importlib.util.find_spec("vega_datasets")
    if package is None or not package.submodule_search_locations:
        return []
    with open(Path(package.submodule_search_locations[0], "_data", "stocks.csv")) as file:
        return [(row["symbol"], float(row["price"])) for row in csv.DictReader(file)]


def made_up() -> list[tuple[str, float]]:
    chance, rows = random.Random(1), []
    for symbol in ("ALFA", "BETA", "GAMA", "DELT", "EPSI"):
        price = chance.uniform(20, 200)
        for _ in range(120):
            price = max(1.0, price * chance.uniform(0.9, 1.115))
            rows.append((symbol, round(price, 2)))
    return rows


def main(path: str) -> None:
    rows, file = recorded(), Path(path)
    if not rows and file.exists():
        return  # recorded prices that are there already are better than made-up ones
    first = "# monthly closes, from vega_datasets" if rows else "# made-up prices"
    ordered = sorted(rows or made_up(), key=lambda row: row[0])
    text = "\n".join([first, *(f"{symbol},{price:.2f}" for symbol, price in ordered)]) + "\n"
    if not file.exists() or file.read_text() != text:
        new = file.with_suffix(f".{os.getpid()}")
        new.write_text(text)
        new.replace(file)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
