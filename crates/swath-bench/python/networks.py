"""The networks that both sides have, and weights by the names that Swath gives them."""

import torch
from safetensors.torch import load_file
from torch import nn


class DoubleConv(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(cout)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.norm2(self.conv2(x)))


class Step(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.up = nn.ConvTranspose2d(cin, cout, 2, 2)
        self.convs = DoubleConv(2 * cout, cout)

    def forward(self, x, skip):
        return self.convs(torch.cat([self.up(x), skip], 1))


class UNet(nn.Module):
    """`[model.encoder.plain]` with `[model.decoder.unet]`."""

    def __init__(self, bands, classes, width, depth):
        super().__init__()
        widths = [width << i for i in range(depth)]
        self.encoder, self.decoder, self.head = nn.Module(), nn.Module(), nn.Module()
        self.encoder.levels = nn.ModuleList(DoubleConv(a, b) for a, b in zip([bands, *widths], widths))
        self.decoder.steps = nn.ModuleList(Step(a, b) for a, b in zip(widths[:0:-1], widths[-2::-1]))
        self.head.conv = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        features = []
        for i, level in enumerate(self.encoder.levels):
            x = level(nn.functional.max_pool2d(x, 2) if i else x)
            features.append(x)
        features.pop()
        for step in self.decoder.steps:
            x = step(x, features.pop())
        return self.head.conv(x)


def build(args):
    """The network of the flags, with the weights of the file where one is given."""
    if args.network == "unet":
        net = UNet(args.bands, args.classes, args.width, args.depth)
    else:
        import segmentation_models_pytorch as smp

        net = smp.Unet("resnet34", encoder_weights=None, in_channels=args.bands, classes=args.classes)
    if args.weights:
        load(net, args.weights)
    return net


def load(net, path):
    """Fills every parameter and running statistic; a name that is missing or left over is an error."""
    values, found = load_file(path), named(net)
    if values.keys() != found.keys():
        raise SystemExit(f"{path} and the network differ in {sorted(values.keys() ^ found.keys())[:4]}")
    with torch.no_grad():
        for name, tensor in found.items():
            if values[name].shape != tensor.shape:
                raise SystemExit(f"{name} is {list(values[name].shape)} in {path} and {list(tensor.shape)} here")
            tensor.copy_(values[name])


def named(net):
    """Parameters and running statistics by Swath's names, sorted by them."""
    norms = {name for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)}
    found = {}
    for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
        module, field = name.rsplit(".", 1)
        if field == "num_batches_tracked":
            continue
        if module in norms:
            field = {"weight": "gamma", "bias": "beta"}.get(field, field)
        found[swath_name(f"{module}.{field}")] = tensor
    return dict(sorted(found.items()))


def swath_name(name):
    """From a name in segmentation_models.pytorch; those of `UNet` stay."""
    if name.startswith("decoder.blocks."):
        for i in (1, 2):
            name = name.replace(f".conv{i}.0.", f".convs.conv{i}.").replace(f".conv{i}.1.", f".convs.norm{i}.")
    name = name.replace("decoder.blocks.", "decoder.steps.").replace("segmentation_head.0.", "head.conv.")
    return name.replace("downsample.0.", "downsample.conv.").replace("downsample.1.", "downsample.norm.")


def parameters(net):
    return sum(parameter.numel() for parameter in net.parameters())
