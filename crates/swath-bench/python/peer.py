"""The peer that Swath is timed against: PyTorch and rasterio, written as their users write it.

Takes the flags of `src/settings.rs` and prints one line of JSON, the `Answer` of `src/case/mod.rs`. The network is that of
`[model.encoder.plain]` with `[model.decoder.unet]`: double 3x3 convolutions with batch norm, max pooling, 2x2 transposed
convolutions, skip connections by concatenation. Needs torch, rasterio and numpy.
"""

import argparse
import json
import os
import time

import numpy as np
import rasterio
import torch
from rasterio.windows import Window
from torch import nn


def double(cin, cout):
    layers = []
    for i in range(2):
        layers += [
            nn.Conv2d(cin if i == 0 else cout, cout, 3, padding=1, bias=False),
            nn.BatchNorm2d(cout),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    def __init__(self, bands, classes, width, depth):
        super().__init__()
        widths = [width * 2**i for i in range(depth)]
        self.down = nn.ModuleList(double(cin, cout) for cin, cout in zip([bands] + widths[:-1], widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in reversed(widths[:-1]))
        self.merge = nn.ModuleList(double(2 * w, w) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else nn.functional.max_pool2d(x, 2))
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, reversed(skips[:-1])):
            x = merge(torch.cat([skip, up(x)], 1))
        return self.head(x)


class Chips(torch.utils.data.Dataset):
    """Random chips, normalized, flipped; each worker opens the files for itself."""

    def __init__(self, scene, labels, chip, count):
        self.scene, self.labels, self.chip, self.count = scene, labels, chip, count
        self.files = None

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if self.files is None:
            self.files = rasterio.open(self.scene), rasterio.open(self.labels)
        scene, labels = self.files
        rng = np.random.default_rng(index)
        col = int(rng.integers(0, scene.width - self.chip + 1))
        row = int(rng.integers(0, scene.height - self.chip + 1))
        window = Window(col, row, self.chip, self.chip)
        x = (scene.read(window=window).astype(np.float32) - 1000.0) / 500.0
        y = labels.read(1, window=window).astype(np.int64)
        if rng.random() < 0.5:
            x, y = x[:, :, ::-1], y[:, ::-1]
        if rng.random() < 0.5:
            x, y = x[:, ::-1], y[::-1]
        return np.ascontiguousarray(x), np.ascontiguousarray(y)


def loader(args):
    data = torch.utils.data.DataLoader(
        Chips(args.scene, args.labels, args.chip, args.count + args.batch), batch_size=args.batch, num_workers=args.threads
    )
    batches = iter(data)
    next(batches)  # the start of the workers and the opening of the files are not timed
    start = time.perf_counter()
    seen = sum(len(x) for x, _ in batches)
    seconds = time.perf_counter() - start
    return {"rate": seen / seconds, "seconds": seconds}


def network(args, bands):
    torch.manual_seed(1)
    net = UNet(bands, args.classes, args.width, args.depth).to(args.device)
    return net.to(memory_format=torch.channels_last)


def wait(device):
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def train(args):
    net = network(args, args.bands).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss(ignore_index=255)
    shape = (args.batch, args.bands, args.chip, args.chip)
    x = torch.randn(shape).to(args.device).to(memory_format=torch.channels_last)
    y = torch.randint(0, args.classes, (args.batch, args.chip, args.chip)).to(args.device)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    step()
    wait(args.device)
    start = time.perf_counter()
    for _ in range(args.count):
        step()
    wait(args.device)
    seconds = time.perf_counter() - start
    parameters = sum(parameter.numel() for parameter in net.parameters())
    return {"rate": args.count * args.batch / seconds, "seconds": seconds, "parameters": parameters}


def predict(args):
    """Whole scene: overlapping chips, cosine weights, sums held in memory, COG out."""
    start = time.perf_counter()
    with rasterio.open(args.scene) as scene:
        net = network(args, scene.count).eval()
        height, width = scene.height, scene.width
        step = args.chip - args.overlap
        ramp = np.sin((np.arange(args.overlap) + 0.5) / args.overlap * np.pi / 2) ** 2
        line = np.concatenate([ramp, np.ones(args.chip - 2 * args.overlap), ramp[::-1]])
        weight = np.outer(line, line).astype(np.float32)
        sums = np.zeros((args.classes, height, width), np.float32)
        total = np.zeros((height, width), np.float32)
        with torch.inference_mode():
            for row in range(-args.overlap // 2, height, step):
                for col in range(-args.overlap // 2, width, step):
                    top, left = max(row, 0), max(col, 0)
                    bottom, right = min(row + args.chip, height), min(col + args.chip, width)
                    if bottom <= top or right <= left:
                        continue
                    window = Window(left, top, right - left, bottom - top)
                    x = (scene.read(window=window).astype(np.float32) - 1000.0) / 500.0
                    pads = ((0, 0), (top - row, row + args.chip - bottom), (left - col, col + args.chip - right))
                    x = torch.from_numpy(np.pad(x, pads, mode="reflect"))
                    x = x[None].to(args.device).to(memory_format=torch.channels_last)
                    scores = net(x).softmax(1)[0].cpu().numpy()
                    inner = np.s_[top - row : bottom - row, left - col : right - col]
                    sums[:, top:bottom, left:right] += (scores * weight)[:, inner[0], inner[1]]
                    total[top:bottom, left:right] += weight[inner]
        labels = (sums / total).argmax(0).astype(np.uint8)
        profile = {
            "driver": "COG", "width": width, "height": height, "count": 1, "dtype": "uint8", "crs": scene.crs,
            "transform": scene.transform, "compress": "deflate", "blocksize": 512,
        }
        with rasterio.open(args.out, "w", **profile) as out:
            out.write(labels, 1)
    seconds = time.perf_counter() - start
    return {"rate": height * width / 1e6 / seconds, "seconds": seconds}


def peak_mb():
    """Peak resident memory of this process; `ru_maxrss` would count that of the parent before the program started."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6
    except FileNotFoundError:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["loader", "train", "predict"])
    parser.add_argument("--scene")
    parser.add_argument("--labels")
    parser.add_argument("--out")
    parser.add_argument("--device", default="cpu")
    for name, value in [
        ("bands", 10), ("classes", 10), ("width", 16), ("depth", 5), ("chip", 256), ("overlap", 64), ("batch", 4),
        ("count", 8), ("threads", 2), ("cache-mb", 0),
    ]:
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.cache_mb:
        os.environ["GDAL_CACHEMAX"] = str(args.cache_mb // args.threads)  # each worker has its own
    answer = {"loader": loader, "train": train, "predict": predict}[args.command](args)
    answer["peak_mb"] = peak_mb()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
