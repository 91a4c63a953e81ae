"""The peers that Swath is timed against, written as their users write them.

Takes the flags of `src/settings.rs` and prints one line of JSON: the `Answer` of `src/case/mod.rs`, or for `forward` and
`step` the lines of `src/serve.rs`. Needs the packages of requirements.txt.

| file | what |
| --- | --- |
| networks.py | the networks in PyTorch, with Swath's names for their weights |
| pytorch.py | loading, training and prediction with PyTorch and rasterio |
| scene.py | a whole scene in overlapping chips, whatever computes them |
| reference.py | float64 logits and gradients, and the network as ONNX |
| memory.py | peak memory |
| vectors.py | a map into polygons with GDAL's own program |
| engines.py | one network in ONNX Runtime, OpenVINO or PyTorch, timed on demand |
"""

import argparse
import importlib
import json
import os

from memory import peak_mb

# Where each command stands. Imported late: a pipeline without PyTorch must not pay for it in memory.
COMMANDS = {
    "loader": "pytorch", "train": "pytorch", "predict": "scene", "logits": "reference", "gradients": "reference",
    "forward": "engines", "step": "engines", "vectorize": "vectors",
}
NUMBERS = {
    "bands": 10, "classes": 10, "width": 16, "depth": 5, "chip": 256, "overlap": 64, "batch": 4, "count": 8, "threads": 2,
    "cache-mb": 0,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    for name in ("scene", "labels", "out", "weights"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--network", default="unet")
    parser.add_argument("--golden")
    parser.add_argument("--engine", default="torch")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--simplify", type=float, default=0)
    for name, value in NUMBERS.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    if args.cache_mb:
        os.environ["GDAL_CACHEMAX"] = str(args.cache_mb // args.threads)  # each worker has its own
    answer = getattr(importlib.import_module(COMMANDS[args.command]), args.command)(args)
    if answer is not None:
        print(json.dumps({"peak_mb": peak_mb(), **answer}))


if __name__ == "__main__":
    main()
