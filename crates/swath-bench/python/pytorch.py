"""PyTorch and rasterio: a loader, and training on one batch."""

import time

import numpy as np
import rasterio
import torch
from rasterio.windows import Window
from torch import nn

import networks


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
    torch.set_num_threads(args.threads)
    data = torch.utils.data.DataLoader(
        Chips(args.scene, args.labels, args.chip, args.count + args.batch), batch_size=args.batch, num_workers=args.threads
    )
    batches = iter(data)
    next(batches)  # the start of the workers and the opening of the files are not timed
    start = time.perf_counter()
    seen = sum(len(x) for x, _ in batches)
    seconds = time.perf_counter() - start
    return {"rate": seen / seconds, "seconds": seconds}


def wait(device):
    if device.startswith("cuda"):
        torch.cuda.synchronize()


class Trainer:
    """A network with AdamW and one batch; `bf16` computes under autocast."""

    def __init__(self, args, net, images, labels, bf16=False):
        torch.set_num_threads(args.threads)
        self.net = net.to(args.device).to(memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
        self.criterion = nn.CrossEntropyLoss(ignore_index=255)
        self.images = images.to(args.device).to(memory_format=torch.channels_last)
        self.labels = labels.to(args.device)
        self.autocast = torch.autocast(args.device.split(":")[0], dtype=torch.bfloat16, enabled=bf16)

    def gradients(self):
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast:
            loss = self.criterion(self.net(self.images), self.labels)
        loss.backward()
        return loss

    def step(self):
        loss = self.gradients()
        self.optimizer.step()
        return loss.item()


def train(args):
    torch.manual_seed(1)
    images = torch.randn(args.batch, args.bands, args.chip, args.chip)
    labels = torch.randint(0, args.classes, (args.batch, args.chip, args.chip))
    trainer = Trainer(args, networks.build(args), images, labels)
    trainer.step()
    wait(args.device)
    start = time.perf_counter()
    for _ in range(args.count):
        trainer.step()
    wait(args.device)
    seconds = time.perf_counter() - start
    parameters = networks.parameters(trainer.net)
    return {"rate": args.count * args.batch / seconds, "seconds": seconds, "parameters": parameters}
