"""Networks of our own, one a file; all others are transformers'. Each declares its layout and can be saved."""

from binviz.networks.cnn import DigitsCNN, DigitsCNNConfig
from binviz.networks.dbnet import DBNet, DBNetConfig
from binviz.networks.mixer import Mixer, MixerConfig
from binviz.networks.pointnet import PointNet, PointNetConfig
from binviz.networks.resnet import ResNet, ResNetConfig
from binviz.networks.scene_unet import SceneUNet, SceneUNetConfig
from binviz.networks.sign_mlp import SignLayer, SignMLP, SignMLPConfig
from binviz.networks.speech_cnn import SpeechCNN, SpeechCNNConfig
from binviz.networks.stem_vit import StemViT, StemViTConfig
from binviz.networks.two_heads import TwoHeads, TwoHeadsConfig
from binviz.networks.unet import UNet, UNetConfig

__all__ = [
    "DBNet",
    "DBNetConfig",
    "DigitsCNN",
    "DigitsCNNConfig",
    "Mixer",
    "MixerConfig",
    "PointNet",
    "PointNetConfig",
    "ResNet",
    "ResNetConfig",
    "SceneUNet",
    "SceneUNetConfig",
    "SignLayer",
    "SignMLP",
    "SignMLPConfig",
    "SpeechCNN",
    "SpeechCNNConfig",
    "StemViT",
    "StemViTConfig",
    "TwoHeads",
    "TwoHeadsConfig",
    "UNet",
    "UNetConfig",
]
