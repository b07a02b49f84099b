#!/usr/bin/env python3
"""How long several comparisons take: prints "3 h 20 min".

usage: bench/duration.py COUNT BUDGET      BUDGET as statera compare reads it: 90s, 100m, 1h30m
"""
import re
import sys

SECONDS = {"s": 1, "m": 60, "h": 3600}


def seconds(budget):
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", budget)
    if not parts or "".join(number + unit for number, unit in parts) != budget:
        raise SystemExit(f"error: the budget '{budget}' is not like 90s, 100m or 1h30m")
    return sum(float(number) * SECONDS[unit] for number, unit in parts)


def text(duration):
    hours, minutes = divmod(round(duration / 60), 60)
    return " ".join([f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (minutes > 0 or hours == 0))


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    print(text(int(sys.argv[1]) * seconds(sys.argv[2])))


if __name__ == "__main__":
    main()
