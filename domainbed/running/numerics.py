"""What trades exact float32 for speed: TF32, bfloat16 autocast, channels-last weights and compiled networks.

All are off by default, so that runs reproduce; docs/speed.md says what each does to the numbers and to a search.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch

from domainbed.algorithms.base import Algorithm
from domainbed.errors import InputError
from domainbed.names import PRECISIONS
from domainbed.networks.base import FeatureNetwork
from domainbed.networks.small import MLP
from domainbed.running.arguments import Arguments


@dataclass(frozen=True)
class Numerics:
    """How the updates and evaluations of a run compute.

    Attributes:
        precision: "float32"; "tf32": tensor cores round the factors of matrix products and convolutions to 10 bits of
            mantissa, on GPUs that have them; "bf16": autocast to bfloat16, with weights and optimizers in float32.
        channels_last: the weights of convolutions, and thereby their outputs, are stored with the channels last.
        compiled: updates run the feature extractors through torch.compile, anew for every shape of a minibatch;
            evaluations, whose last batches have many shapes, run them as they are.
    """

    precision: str = "float32"
    channels_last: bool = False
    compiled: bool = False

    @classmethod
    def of(cls, arguments: Arguments) -> "Numerics":
        return cls(arguments.precision, arguments.channels_last, arguments.compile)

    def check(self) -> None:
        """Check that this machine can compute so.

        Raises:
            InputError: unknown precision, or nothing to compile with.
        """
        if self.precision not in PRECISIONS:
            raise InputError(f"--precision is {self.precision!r}; it is one of {', '.join(PRECISIONS)}")
        if self.compiled and not hasattr(torch.compiler, "set_stance"):
            raise InputError(f"--compile needs PyTorch 2.6 or later, not {torch.__version__}")
        compilers = [os.environ.get("CXX"), "g++", "clang++", "cl"]
        if self.compiled and not any(name and shutil.which(name) for name in compilers):
            raise InputError("--compile needs a C++ compiler such as g++, and none is found; leave --compile out")

    def prepare(self, algorithm: Algorithm) -> Algorithm:
        """Convert an algorithm that is on its device. Names in its state_dict stay; copies of it run uncompiled."""
        if self.channels_last:
            algorithm.to(memory_format=torch.channels_last)
        if self.compiled:
            for network in algorithm.modules():
                # Discriminators are MLPs too: too small to gain, and their penalties need second derivatives.
                if isinstance(network, FeatureNetwork) and not isinstance(network, MLP):
                    network.compile(dynamic=False)
        return algorithm

    @contextmanager
    def update(self, device: torch.device) -> Iterator[None]:
        """Within, an update computes so.

        Raises:
            InputError: the algorithm differentiates a compiled network twice.
        """
        # Set for float32 too: PyTorch lets convolutions compute in TF32 unless told otherwise.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.precision == "tf32"
        try:
            with self._autocast(device):
                yield
        except RuntimeError as error:
            if self.compiled and any(words in str(error) for words in ("double backward", "create_graph=False")):
                raise InputError(
                    "--compile: the algorithm needs second derivatives of its feature extractor, which torch.compile"
                    " does not give; leave --compile out"
                ) from error
            raise

    @contextmanager
    def evaluation(self, device: torch.device) -> Iterator[None]:
        """Within, an evaluation computes so."""
        eager = torch.compiler.set_stance("force_eager") if self.compiled else nullcontext()
        with self.update(device), eager:
            yield

    def _autocast(self, device: torch.device) -> AbstractContextManager[object]:
        if self.precision != "bf16":
            return nullcontext()
        # A cache would hand the weights of before to those who move them within an update, such as SAM.
        return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
