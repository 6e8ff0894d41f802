"""Float32 inside is float32, whatever the switches say outside, and outside they say afterwards what they said."""

import subprocess
import sys

import pytest
import torch

REPORT = """
import warnings, torch
from domainbed_gga.precision import full_float32

def readings():
    backends = torch.backends
    read = {
        "cudnn.allow_tf32": lambda: backends.cudnn.allow_tf32,
        "matmul.allow_tf32": lambda: backends.cuda.matmul.allow_tf32,
        "matmul": torch.get_float32_matmul_precision,
    }
    if hasattr(backends.cudnn, "conv"):
        read |= {
            "generic": lambda: backends.fp32_precision,
            "cudnn": lambda: backends.cudnn.fp32_precision,
            "conv": lambda: backends.cudnn.conv.fp32_precision,
            "rnn": lambda: backends.cudnn.rnn.fp32_precision,
            "cuda.matmul": lambda: backends.cuda.matmul.fp32_precision,
            "mkldnn": lambda: backends.mkldnn.fp32_precision,
            "mkldnn.matmul": lambda: backends.mkldnn.matmul.fp32_precision,
            "mkldnn.conv": lambda: backends.mkldnn.conv.fp32_precision,
            "mkldnn.rnn": lambda: backends.mkldnn.rnn.fp32_precision,
        }
    return {name: reading(value) for name, value in read.items()}

def reading(value):
    try:
        return value()
    except RuntimeError:
        return "contradicts others"

warnings.simplefilter("error")
warnings.filterwarnings("ignore", "TF32 acceleration on top of oneDNN")  # of mkldnn.flags itself
backends = torch.backends
%s
before = readings()
with full_float32():
    assert set(readings().values()) <= {False, "highest", "ieee"}, readings()
    with backends.cudnn.flags(enabled=True), backends.mkldnn.flags(enabled=True):
        pass
    assert set(readings().values()) <= {False, "highest", "ieee"}, readings()
assert readings() == before, (before, readings())
"""

OLD = [
    "",
    "backends.cudnn.allow_tf32 = False",
    "backends.cuda.matmul.allow_tf32 = True",
    "torch.set_float32_matmul_precision('medium')",
]
NEW = [
    "backends.fp32_precision = 'tf32'",
    "backends.cudnn.fp32_precision = 'tf32'",
    "backends.cudnn.conv.fp32_precision = 'ieee'",
    "backends.cuda.matmul.fp32_precision = 'tf32'",
    "backends.mkldnn.set_flags(_fp32_precision='bf16')",
    "backends.mkldnn.set_flags(_fp32_precision='bf16'); backends.mkldnn.conv.fp32_precision = 'ieee'",
    "backends.cudnn.allow_tf32 = False; backends.fp32_precision = 'tf32'",
]
since_2_9 = pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="switches of PyTorch 2.9")


@pytest.mark.parametrize("switched", [*OLD, *(pytest.param(text, marks=since_2_9) for text in NEW)])
def test_float32_inside_and_every_switch_afterwards_as_before(switched):
    """In a process each, since the switches are the process's."""
    done = subprocess.run([sys.executable, "-c", REPORT % switched], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
