"""What reduced precision does to a perturbation of 1e-5: does the search still see which candidate is better?

    python benchmarks/precision.py [--candidates 24] [--rho 1e-5]

For candidates θ0 + ρu, the change of sim in float64 beside the change in float32, in TF32 (emulated: inputs, weights
and gradients of every convolution and linear layer are rounded to 10 bits of mantissa, sums stay float32, as tensor
cores do), under bfloat16 autocast, and in float32 with the channels last and compiled. Decisions: a candidate is
accepted where its sim is larger than those of all before. ResNet-18 at 64x64, evaluation-mode BatchNorm, three domains
of 8 images, after ten steps of training.
"""

import argparse
import copy
import itertools

import torch
import torch.nn.functional as F
from csv_record import add_csv_flag, write_csv
from torch import Tensor, nn
from torchvision.models import resnet18

from domainbed_gga.randomness import uniform
from domainbed_gga.similarity import DomainGradients


def to_tf32(x: Tensor) -> Tensor:
    """Float32 rounded to nearest, ties away from zero, at 10 bits of mantissa."""
    return ((x.detach().contiguous().view(torch.int32) + (1 << 12)) & ~((1 << 13) - 1)).view(torch.float32)


class Rounded(torch.autograd.Function):
    """Rounds on the way forward."""

    @staticmethod
    def forward(ctx, x):
        return to_tf32(x)

    @staticmethod
    def backward(ctx, slope):
        return slope


class RoundedBackward(torch.autograd.Function):
    """Rounds on the way back."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, slope):
        return to_tf32(slope)


def emulate_tf32(network: nn.Module) -> None:
    """Let every convolution and linear layer of the network compute as tensor cores do."""

    def convolution(layer: nn.Conv2d, x: Tensor) -> Tensor:
        out = F.conv2d(Rounded.apply(x), Rounded.apply(layer.weight), None, layer.stride, layer.padding)
        return RoundedBackward.apply(out)

    def linear(layer: nn.Linear, x: Tensor) -> Tensor:
        return RoundedBackward.apply(F.linear(Rounded.apply(x), Rounded.apply(layer.weight))) + layer.bias

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.forward = convolution.__get__(layer)
        elif isinstance(layer, nn.Linear):
            layer.forward = linear.__get__(layer)


def compiled(network: nn.Module) -> nn.Module:
    """A copy that runs through torch.compile."""
    copied = copy.deepcopy(network)
    copied.compile(dynamic=False)
    return copied


def domains(number: int, batch_size: int, size: int, classes: int) -> list[tuple[Tensor, Tensor]]:
    """Images and labels of domains that differ in contrast and brightness."""
    return [
        (torch.randn(batch_size, 3, size, size) * (1 + 0.3 * d) + 0.3 * d, torch.randint(classes, (batch_size,)))
        for d in range(number)
    ]


def sims(network: nn.Module, data: list, dtype: torch.dtype, rho: float, candidates: int) -> Tensor:
    """sim at the start and at each candidate; the perturbed weights are the float32 ones in every precision."""
    master = copy.deepcopy(network)
    network = network.to(dtype if dtype == torch.float64 else torch.float32)

    def loss(domain: int) -> Tensor:
        x, y = data[domain]
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            return F.cross_entropy(network(x.to(dtype) if dtype == torch.float64 else x), y)

    gradients = DomainGradients(loss, [1] * len(data), list(network.parameters()))
    found = [gradients.measure(0).sim]
    for candidate in range(candidates):
        with torch.no_grad():
            for (name, p), target in zip(master.named_parameters(), network.parameters(), strict=True):
                target.copy_(p if name.startswith("fc") else p + rho * uniform(p, "noise", candidate, name))
        found.append(gradients.measure(0).sim)
    return torch.tensor(found, dtype=torch.float64)


def compared(seen: Tensor, exact: Tensor) -> dict[str, float]:
    """How the changes of sim from its first value compare with those in float64."""
    moved, change = seen[1:] - seen[0], exact[1:] - exact[0]
    pairs = list(itertools.combinations(range(len(change)), 2))
    agree = sum(bool((moved[a] > moved[b]) == (change[a] > change[b])) for a, b in pairs) / len(pairs)
    correlation = torch.corrcoef(torch.stack([moved, change]))[0, 1].item()
    return {
        "error_of_a_change": (moved - change).std().item(),
        "correlation": correlation,
        "right_order": agree,
        "decisions_changed": int((accepted(seen) != accepted(exact)).sum()),
    }


def accepted(sims: Tensor) -> Tensor:
    """Which candidates exceed all before, the starting point included."""
    return sims[1:] > torch.cummax(sims, dim=0).values[:-1]


def summary(seen: Tensor, exact: Tensor) -> str:
    """The comparison in words."""
    found = compared(seen, exact)
    return (
        f"error of a change {found['error_of_a_change']:.1e}; correlation with float64 {found['correlation']:.3f};"
        f" {found['right_order']:.0%} of pairs of candidates in the right order;"
        f" {found['decisions_changed']} decisions of {len(exact) - 1} changed"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=24, help="candidates (default 24)")
    parser.add_argument("--rho", type=float, default=1e-5, help="half width of a perturbation (default 1e-5)")
    add_csv_flag(parser)
    args = parser.parse_args()
    torch.manual_seed(0)
    network = resnet18(num_classes=5).eval()
    data = domains(3, batch_size=8, size=64, classes=5)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    for _ in range(10):
        optimizer.zero_grad()
        torch.stack([F.cross_entropy(network(x), y) for x, y in data]).mean().backward()
        optimizer.step()
    tensor_cores = copy.deepcopy(network)
    emulate_tf32(tensor_cores)
    exact = sims(copy.deepcopy(network), data, torch.float64, args.rho, args.candidates)
    spread = (exact[1:] - exact[0]).std()
    print(f"sim(θ0) = {exact[0]:.6f}; standard deviation of its change over candidates {spread:.1e}")
    rows = []
    for name, variant, dtype in (
        ("float32", network, torch.float32),
        ("TF32", tensor_cores, torch.float32),
        ("bfloat16", copy.deepcopy(network), torch.bfloat16),
        ("channels_last", copy.deepcopy(network).to(memory_format=torch.channels_last), torch.float32),
        ("compile", compiled(network), torch.float32),
    ):
        seen = sims(variant, data, dtype, args.rho, args.candidates)
        more = {"spread_of_changes": spread.item(), "candidates": args.candidates}
        rows.append({"precision": name, **compared(seen, exact), **more})
        print(f"{name:13s} {summary(seen, exact)}", flush=True)
    write_csv(args.csv, rows)


if __name__ == "__main__":
    main()
