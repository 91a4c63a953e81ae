"""The networks that both sides have, and weights by the names that Swath gives them.

Names and the newer networks are those that golden values are made with.
"""

import importlib
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from memory import forget_peak

sys.path.insert(0, str(Path(__file__).parents[3] / "fixtures" / "nn"))


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
    net, swath_name = golden(args.golden) if args.golden else BUILDERS[args.network](args)
    net.swath_name = swath_name
    # Golden networks are taken out of larger ones, or built after others.
    forget_peak()
    if args.weights:
        load(net, args.weights)
    return net


class Found(Exception):
    """A golden network, on its way out of the script that would compute its values."""


def golden(name):
    """The network of a golden case, named as FILE#CASE."""
    file, wanted = name.split("#")
    members = importlib.import_module(f"members.{file}")

    def catch(case, model, rename, *_, **__):
        if case == wanted:
            raise Found(model, rename)
        return {"gradients": []}

    # What the others would compute takes minutes.
    for kind in {"features_case", "logits_case", "training_case"} & vars(members).keys():
        setattr(members, kind, catch)
    try:
        list(members.cases())
    except Found as found:
        return found.args
    raise SystemExit(f"members/{file}.py has no network {wanted}")


def unet(args):
    return UNet(args.bands, args.classes, args.width, args.depth), lambda name: name


def unet_resnet(args):
    import segmentation_models_pytorch as smp
    from members.resnet import smp_name

    encoder = args.network.removeprefix("unet-")
    return smp.Unet(encoder, encoder_weights=None, in_channels=args.bands, classes=args.classes), smp_name


def deeplab_v3_plus_resnet50(args):
    from hashed import Network
    from members.deeplab import v3_plus, v3_plus_name
    from members.resnet import resnet, resnet_features, resnet_name

    encoder = resnet(50, args.bands, replace_stride_with_dilation=[False, False, True])
    decoder = v3_plus([args.bands, 64, 256, 512, 1024, 2048], 16, (6, 12, 18))
    net = Network(encoder, lambda e, x: [x, *resnet_features(e, x)], decoder, 256, args.classes)
    return net, lambda name: resnet_name(v3_plus_name(name))


def segformer_b0(args):
    import segmentation_models_pytorch as smp
    from hashed import Network
    from members.segformer import SegformerDecoder, segformer_name
    from members.transformers import mit_name

    encoder = smp.encoders.get_encoder("mit_b0", weights=None, in_channels=args.bands)
    decoder = SegformerDecoder([args.bands, 0, 32, 64, 160, 256], 5, 256)
    net = Network(encoder, lambda e, x: e(x), decoder, 256, args.classes)

    def rename(name):
        part, rest = name.split(".", 1)
        return "encoder." + mit_name(rest) if part == "encoder" else segformer_name(name)

    return net, rename


BUILDERS = {
    "unet": unet,
    "unet-resnet34": unet_resnet,
    "unet-resnet50": unet_resnet,
    "deeplab-v3-plus-resnet50": deeplab_v3_plus_resnet50,
    "segformer-b0": segformer_b0,
}


def load(net, path):
    """Fills every parameter and running statistic; a name that is missing or left over is an error."""
    values, found = load_file(path), named(net)
    if values.keys() != found.keys():
        raise SystemExit(f"{path} and the network differ in {sorted(values.keys() ^ found.keys())[:4]}")
    with torch.no_grad():
        for name, tensor in found.items():
            # What is a linear layer here is a 1x1 convolution in Swath.
            value = values[name].squeeze((2, 3)) if values[name].dim() == 4 and tensor.dim() == 2 else values[name]
            if value.shape != tensor.shape:
                raise SystemExit(f"{name} is {list(value.shape)} in {path} and {list(tensor.shape)} here")
            tensor.copy_(value)


def named(net):
    """Parameters and running statistics by Swath's names, sorted by them."""
    from hashed import swath_names

    return dict(sorted(swath_names(net, net.swath_name).items()))


def parameters(net):
    return sum(parameter.numel() for parameter in net.parameters())
