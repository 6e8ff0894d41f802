"""DINOv2 (Oquab et al., 2023, arXiv 2304.07193) as a featurizer."""

import torch
from torch import Tensor, nn

from domainbed.errors import InputError
from domainbed.hyperparameters import optional
from domainbed.networks.base import FeatureNetwork, Hparams
from domainbed.networks.pretrained import timm_model

WIDTH, PATCH = 768, 14


class UnsupportedImage(InputError, RuntimeError):
    """Images that the network cannot take. Also a RuntimeError, which is what DomainBed raises."""


class DinoV2(FeatureNetwork):
    """ViT-B/14 with the weights of DINOv2: (n, 3, H, W) -> (n, 3840).

    The features are the class tokens of the last four blocks, in order of depth, and the mean patch token of the last.
    The network is timm's, which runs no downloaded code; its parameters have the names of the original.

    Reads vit_dropout, vit_attn_tune (train only the attention weights) and pretrained.

    Raises:
        UnsupportedImage: other than 3 channels, or height or width no multiple of 14.
        InputError: timm is missing or the weights cannot be had.
    """

    n_outputs = 5 * WIDTH

    def __init__(self, input_shape: tuple[int, ...], hparams: Hparams):
        super().__init__()
        if input_shape[0] != 3 or any(size % PATCH for size in input_shape[1:]):
            wanted = f"3 channels, height and width multiples of {PATCH}"
            raise UnsupportedImage(f"DINOv2 takes images with {wanted}, not of shape {tuple(input_shape)}")
        pretrained = optional(hparams, "pretrained")
        self.network = timm_model("vit_base_patch14_dinov2.lvd142m", pretrained, num_classes=0, dynamic_img_size=True)
        # used only when DINOv2 itself is trained, but present in the checkpoints of the original
        self.network.mask_token = nn.Parameter(torch.zeros(1, WIDTH))
        self.dropout = nn.Dropout(hparams["vit_dropout"])
        self.activation = nn.Identity()
        if hparams["vit_attn_tune"]:
            for name, parameter in self.network.named_parameters():
                parameter.requires_grad_("attn" in name)

    def forward(self, x: Tensor) -> Tensor:
        blocks = self.network.get_intermediate_layers(x, n=4, return_prefix_tokens=True, norm=True)
        classes = [prefix[:, 0] for _, prefix in blocks]
        patches, _ = blocks[-1]
        return self.activation(self.dropout(torch.cat([*classes, patches.mean(dim=1)], dim=1)))
