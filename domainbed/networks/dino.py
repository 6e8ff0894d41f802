"""DINOv2 (Oquab et al., 2023, arXiv 2304.07193) as a featurizer."""

import torch
from torch import Tensor, nn

from domainbed.networks.backbones import Backbone, UnsupportedImage
from domainbed.networks.base import Hparams
from domainbed.networks.pretrained import timm_model

NAME, WIDTH, PATCH = "vit_base_patch14_dinov2.lvd142m", 768, 14


class DinoV2(Backbone):
    """ViT-B/14 with the weights of DINOv2: (n, 3, H, W) -> (n, 3840).

    The features are the class tokens of the last four blocks, in order of depth, and the mean patch token of the last.
    The network is timm's, which runs no downloaded code; its parameters have the names of the original.

    Reads vit_dropout, vit_attn_tune (train only the attention weights), pretrained, weights and what `Backbone` reads.

    Raises:
        UnsupportedImage: other than 3 channels, or height or width no multiple of 14.
        InputError: timm is missing or the weights cannot be had.
    """

    def __init__(self, input_shape: tuple[int, ...], hparams: Hparams):
        if input_shape[0] != 3 or any(size % PATCH for size in input_shape[1:]):
            wanted = f"3 channels, height and width multiples of {PATCH}"
            raise UnsupportedImage(f"DINOv2 takes images with {wanted}, not of shape {tuple(input_shape)}")
        network = timm_model(NAME, hparams, num_classes=0)
        # used only when DINOv2 itself is trained, but present in the checkpoints of the original
        network.mask_token = nn.Parameter(torch.zeros(1, WIDTH))
        super().__init__(f"timm/{NAME}", network, 5 * WIDTH, hparams["vit_dropout"], hparams)
        if hparams["vit_attn_tune"]:
            for name, parameter in network.named_parameters():
                parameter.requires_grad_(parameter.requires_grad and "attn" in name)

    def features(self, x: Tensor) -> Tensor:
        blocks = self.network.get_intermediate_layers(x, n=4, return_prefix_tokens=True, norm=True)
        classes = [prefix[:, 0] for _, prefix in blocks]
        patches, _ = blocks[-1]
        return torch.cat([*classes, patches.mean(dim=1)], dim=1)
