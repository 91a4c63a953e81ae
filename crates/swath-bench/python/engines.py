"""One network in ONNX Runtime, OpenVINO or PyTorch, measured whenever a line arrives on stdin.

At the start it computes once, writes the result as raw float32 to `--out` and prints `{"parameters": n}`. Each line then
costs one run that is not timed and `--count` that are, and is answered by `{"seconds": [...], "peak_mb": x}`. The end of stdin ends it.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from memory import peak_mb


def onnx_file(args):
    return str(Path(args.weights).with_suffix(".onnx"))


def forward_function(args):
    """A function from images to logits, `[batch, band, row, column]` to `[batch, class, row, column]` in numpy."""
    return {"torch": torch_forward, "onnxruntime": onnxruntime_forward}.get(args.engine, openvino_forward)(args)


def torch_forward(args):
    import torch

    import networks

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    net = networks.build(args).eval().to(args.device).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run(images):
        x = torch.from_numpy(images).to(args.device).to(memory_format=torch.channels_last)
        return net(x).cpu().numpy()

    return run


def onnxruntime_forward(args):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(onnx_file(args), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0]


def openvino_forward(args):
    import openvino

    config = {"INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY"}
    if args.engine == "openvino-f32":
        config["INFERENCE_PRECISION_HINT"] = "f32"
    compiled = openvino.Core().compile_model(onnx_file(args), "CPU", config)
    return lambda images: compiled([images])[0]


def forward(args):
    chips = images(args)
    run = forward_function(args)
    np.ascontiguousarray(run(chips), np.float32).tofile(args.out)
    serve(args, lambda: run(chips))


def step(args):
    import torch

    import networks
    import pytorch

    net = networks.build(args)
    bf16 = args.engine == "torch-bf16"
    trainer = pytorch.Trainer(args, net, torch.from_numpy(images(args)), labels(args), bf16)
    trainer.gradients()
    gradients(net).astype(np.float32).tofile(args.out)
    serve(args, trainer.step, networks.parameters(net))


def images(args):
    return np.fromfile(args.scene, np.float32).reshape(args.batch, args.bands, args.chip, args.chip)


def labels(args):
    import torch

    values = np.fromfile(args.labels, np.uint8).reshape(args.batch, args.chip, args.chip)
    return torch.from_numpy(values.astype(np.int64))


def gradients(net):
    """All gradients in one row, in the order of Swath's names."""
    import networks

    trained = (tensor for tensor in networks.named(net).values() if tensor.requires_grad)
    return np.concatenate([tensor.grad.contiguous().numpy().ravel() for tensor in trained])


def serve(args, run, parameters=None):
    print(json.dumps({"parameters": parameters}), flush=True)
    for _ in sys.stdin:
        run()
        seconds = []
        for _ in range(args.count):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        print(json.dumps({"seconds": seconds, "peak_mb": peak_mb()}), flush=True)
