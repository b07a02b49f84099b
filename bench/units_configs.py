#!/usr/bin/env python3
"""The H-Nets of bench/units.sh, from the preset with one stage: the same outside and inside exchanged, two stages, and the controls. Those of another shape get
an inner MLP of the width that brings their number of parameters closest to the preset's.

usage: bench/units_configs.py PRESET.json FOLDER STATERA
       bench/units_configs.py --names PRESET.json      prints their names
"""
import copy
import json
import math
import subprocess
import sys
from pathlib import Path


def head_width(*d_models):
    """The largest width of at most 48 that divides the inner width of Mamba-2 in all of them."""
    inner = math.gcd(*(2 * d for d in d_models))
    return max(width for width in range(8, 49, 8) if inner % width == 0)


def parameters(statera, path):
    ran = subprocess.run([statera, "info", str(path), "--json"], capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"error: {ran.stderr.strip()}")
    return json.loads(ran.stdout)["parameters"]


def write(config, path):
    path.write_text(json.dumps(config, indent=1) + "\n")


def fit(statera, config, path, wanted):
    """Chooses the width of the innermost MLP."""
    stack = config["inner"][-1]["stack"]

    def with_width(d_ff):
        stack["mlp"] = {**stack.get("mlp", config["mlp"]), "d_ff": d_ff}
        write(config, path)
        return parameters(statera, path)

    per_8 = with_width(16) - with_width(8)
    best = min((8 * max(1, round(1 + (wanted - with_width(8)) / per_8) + more) for more in (-1, 0, 1)), key=lambda d_ff: abs(with_width(d_ff) - wanted))
    with_width(best)


def variants(preset):
    """{name: config}"""
    outside, inside = preset["layers"].replace("[", "|").replace("]", "|").split("|")[0].strip(), preset["inner"][0]
    depth, inner = int(outside[1:]), preset["layers"].split("[")[1].split("]")[0].strip()
    found = {"hnet-one": copy.deepcopy(preset)}
    swapped = found["hnet-swapped"] = copy.deepcopy(preset)
    swapped["layers"] = f"A{depth} [ m{inner[1:]} ] A{depth}"
    swapped["mixers"]["m"]["headdim"] = head_width(preset["d_model"], inside["stack"]["d_model"])
    two = found["hnet-two"] = copy.deepcopy(preset)
    two["layers"] = f"m{depth - 1} [ m1 [ {inner} ] m1 ] m{depth - 1}"
    middle = {"d_model": (preset["d_model"] + inside["stack"]["d_model"]) // 32 * 16}
    two["mixers"]["m"]["headdim"] = head_width(preset["d_model"], middle["d_model"])
    two["inner"] = [{**inside, "ratio": 3, "stack": middle}, {**inside, "ratio": 3}]
    for router in ("stride", "spaces"):
        control = found[f"hnet-{router}"] = copy.deepcopy(preset)
        control["inner"][0]["router"] = router
    return found


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--names":
        print("\n".join(variants(json.loads(Path(sys.argv[2]).read_text()))))
        return
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    preset, folder, statera = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    for name, config in variants(json.loads(preset.read_text())).items():
        path = folder / (name + ".json")
        write(config, path)
        fit(statera, config, path, parameters(statera, preset))


if __name__ == "__main__":
    main()
