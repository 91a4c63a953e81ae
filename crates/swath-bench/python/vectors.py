"""Maps into polygons, by the program that comes with GDAL."""

import os
import re
import resource
import subprocess
import time


def text_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def vectorize(args):
    if os.path.exists(args.out):
        os.remove(args.out)
    start = time.perf_counter()
    text_of("gdal_polygonize.py", "-q", args.labels, "-f", "GPKG", args.out)
    seconds = time.perf_counter() - start
    # Of the largest program that was started, which is this one; this process is small.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    size = re.search(r"Size is (\d+), (\d+)", text_of("gdalinfo", args.labels))
    polygons = re.search(r"Feature Count: (\d+)", text_of("ogrinfo", "-so", "-al", args.out))
    megapixels = int(size[1]) * int(size[2]) / 1e6
    return {
        "rate": megapixels / seconds, "seconds": seconds, "peak_mb": peak, "polygons": int(polygons[1]),
        "versions": " ".join(text_of("gdalinfo", "--version").split(",")[0].split()[:2]),
    }
