"""What results are held against: float64 in PyTorch; and the network as ONNX for the engines."""

import warnings

import numpy as np
import torch

import engines
import networks
import pytorch


def logits(args):
    """Writes the network as ONNX beside its weights, and its logits as raw float64."""
    torch.set_num_threads(args.threads)
    net = networks.build(args).eval()
    images = torch.from_numpy(engines.images(args))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the newer exporter needs one more package and gives the same graph
        torch.onnx.export(net, (images,), engines.onnx_file(args), dynamo=False, opset_version=17, input_names=["images"])
    with torch.inference_mode():
        net.double()(images.double()).numpy().tofile(args.out)
    return answer(net)


def gradients(args):
    """Writes the gradients of the first step as raw float64."""
    net = networks.build(args).double()
    trainer = pytorch.Trainer(args, net, torch.from_numpy(engines.images(args)).double(), engines.labels(args))
    trainer.gradients()
    engines.gradients(net).astype(np.float64).tofile(args.out)
    return answer(net)


def answer(net):
    return {"rate": 0.0, "seconds": 0.0, "parameters": networks.parameters(net)}
