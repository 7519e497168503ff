"""One training step, or scoring, of the four models in PyTorch on the CPU; prints one JSON line.

    python torch_step.py CASE train|score256|score1 ROUNDS --threads T [--compile] [--fused-adam] [--channels-last]

The models, the memory and the optimiser are those of rftm's `release` convention. The process does nothing but the
steps it times, on random data, so that its peak resident memory is that of a training.
"""

import argparse
import json
import sys
import time

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError as error:
    sys.exit(f"PyTorch is missing: {error}; pip install torch, or name an interpreter that has it")

CASES = ["fc_ae", "fc_rftm", "conv_ae_p0", "conv_ae_p1", "conv_rftm_p0", "conv_rftm_p1"]
BATCH, WARM_UP = 256, 3


class Unit(nn.Module):
    """A memory: cosine similarities, a share of the slots forgotten, the softmax over the k most similar."""

    def __init__(self, capacity, k, forgetting_rate, width):
        super().__init__()
        self.capacity, self.k, self.forgotten = capacity, k, int(forgetting_rate * capacity + 1e-9)
        self.slots = nn.Parameter(torch.empty(capacity, width).uniform_(-(width**-0.5), width**-0.5))

    def forward(self, h):
        similarities = F.normalize(h, dim=1) @ F.normalize(self.slots, dim=1).T
        if self.training:
            mask = torch.ones(self.capacity)
            mask[torch.randperm(self.capacity)[: self.forgotten]] = 0
            similarities = similarities * mask
        values, slots = similarities.topk(self.k, dim=1)
        weights = torch.softmax(F.relu(values), dim=1)
        return (weights.unsqueeze(1) @ self.slots[slots]).squeeze(1)


class Twin(nn.Module):
    def __init__(self, width, *units):
        super().__init__()
        stages = [(Unit(*unit, width), nn.BatchNorm1d(width), nn.LeakyReLU()) for unit in units]
        self.stages = nn.Sequential(*[module for stage in stages for module in stage])

    def forward(self, h):
        return self.stages(h.flatten(1)).view(h.shape)


def autoencoder(case):
    """The model, and the shape of a sample."""
    widths, channels = [784, 512, 256, 128], [3, 64, 128, 256, 512]
    if case.startswith("fc"):
        pairs = list(zip(widths, widths[1:]))
        encoder = [[nn.Linear(a, b), nn.BatchNorm1d(b)] for a, b in pairs]
        decoder = [[nn.Linear(b, a), nn.BatchNorm1d(a)] for a, b in reversed(pairs)]
        memory, latent, sample = [(50, 15, 0.1), (1000, 5, 0.5)], 128, (784,)
    else:
        padding = int(case[-1])
        lost = [1, 1, 1, 1] if padding else [1, 0, 0, 0]
        pairs = list(zip(channels, channels[1:], lost))
        encoder = [[nn.Conv2d(a, b, 3, 2, padding), nn.BatchNorm2d(b)] for a, b, _ in pairs]
        decoder = [
            [nn.ConvTranspose2d(b, a, 3, 2, padding, output_padding=o), nn.BatchNorm2d(a)]
            for a, b, o in reversed(pairs)
        ]
        memory, latent = [(3000, 15, 0.1), (3000, 5, 0.5)], 2048 if padding else 512
        sample = (3, 32, 32)
    for block in encoder + decoder[:-1]:
        block.append(nn.LeakyReLU())
    middle = [Twin(latent, *memory)] if "rftm" in case else []
    return nn.Sequential(*sum(encoder, []), *middle, *sum(decoder, [])), sample


def peak_mib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("mode", choices=["train", "score256", "score1"])
    parser.add_argument("rounds", type=int)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--compile", action="store_true", help="the model through torch.compile")
    parser.add_argument("--fused-adam", action="store_true", help="Adam's fused kernel instead of the default")
    parser.add_argument("--channels-last", action="store_true", help="images and weights as NHWC in memory")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    # Adam's moments of unused slots decay into denormals, on which arithmetic is slow.
    torch.set_flush_denormal(True)
    model, sample = autoencoder(arguments.case)
    x = torch.rand(1 if arguments.mode == "score1" else BATCH, *sample)
    if arguments.channels_last and x.dim() == 4:
        model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True if arguments.fused_adam else None)
    run = torch.compile(model) if arguments.compile else model

    def train():
        loss = F.mse_loss(run(x), x)
        adam.zero_grad()
        loss.backward()
        adam.step()

    @torch.inference_mode()
    def score():
        (run(x) - x).flatten(1).norm(dim=1)

    if arguments.mode != "train":
        model.eval()
    step = train if arguments.mode == "train" else score
    for _ in range(WARM_UP):
        step()
    times = []
    for _ in range(arguments.rounds):
        begin = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - begin))
    times.sort()
    n = len(times)
    options = {"compiled": arguments.compile, "fused": arguments.fused_adam, "nhwc": arguments.channels_last}
    print(
        json.dumps(
            {
                "kind": "step",
                "program": "-".join(["torch", *(name for name, on in options.items() if on)]),
                "case": arguments.case,
                "mode": arguments.mode,
                "threads": arguments.threads,
                "n": n,
                "median_ms": (times[(n - 1) // 2] + times[n // 2]) / 2,
                "min_ms": times[0],
                "peak_mib": peak_mib(),
                "note": f"PyTorch {torch.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
