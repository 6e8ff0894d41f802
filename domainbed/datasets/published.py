"""The published image datasets of DomainBed that are folders of images."""

from domainbed.datasets.folders import ImageFolder
from domainbed.datasets.registry import register
from domainbed.names import ENVIRONMENTS

DRIVE = "https://drive.google.com/uc?id="


@register
class VLCS(ImageFolder):
    """10,729 photographs of 5 classes from Caltech101, LabelMe, SUN09 and VOC2007.

    Fang, Xu and Rockmore, "Unbiased Metric Learning", 2013.
    """

    ENVIRONMENTS = ENVIRONMENTS["VLCS"]
    FOLDER = "VLCS"
    DOMAINS = ["Caltech101", "LabelMe", "SUN09", "VOC2007"]
    SOURCE = f"get {DRIVE}1skwblH1_okBwxWxmRsp9_qi15hyPpxg8 and unpack it"


@register
class PACS(ImageFolder):
    """9,991 images of 7 classes: art paintings, cartoons, photographs and sketches.

    Li, Yang, Song and Hospedales, "Deeper, Broader and Artier Domain Generalization", 2017.
    """

    ENVIRONMENTS = ENVIRONMENTS["PACS"]
    FOLDER = "PACS"
    DOMAINS = ["art_painting", "cartoon", "photo", "sketch"]
    SOURCE = f"get {DRIVE}1JFr8f805nMUelQWWmfnJR3y4_SYoN5Pd, unpack it and rename its folder kfold to PACS"


@register
class OfficeHome(ImageFolder):
    """15,588 images of 65 objects: art, clipart, product pictures and photographs.

    Venkateswara, Eusebio, Chakraborty and Panchanathan, "Deep Hashing Network for Unsupervised Domain
    Adaptation", 2017.
    """

    ENVIRONMENTS = ENVIRONMENTS["OfficeHome"]
    FOLDER = "office_home"
    DOMAINS = ["Art", "Clipart", "Product", "Real World"]
    SOURCE = (
        f"get {DRIVE}1uY0pj7oFsjMxRwaD3Sxy0jgel0fsYXLC, unpack it and "
        "rename its folder OfficeHomeDataset_10072016 to office_home"
    )


@register
class TerraIncognita(ImageFolder):
    """About 24,000 pictures of 10 animals (or none) by the traps at four places.

    Beery, Van Horn and Perona, "Recognition in Terra Incognita", 2018.
    """

    ENVIRONMENTS = ENVIRONMENTS["TerraIncognita"]
    FOLDER = "terra_incognita"
    DOMAINS = ["location_100", "location_38", "location_43", "location_46"]
    SOURCE = (
        "get eccv_18_all_images_sm.tar.gz and eccv_18_annotations.tar.gz from "
        "https://storage.googleapis.com/public-datasets-lila/caltechcameratraps/ and "
        "sort the images of these locations by category"
    )


@register
class DomainNet(ImageFolder):
    """586,575 images of 345 classes: clipart, infographics, paintings, quick drawings, photographs and sketches.

    Peng, Bai, Xia, Huang, Saenko and Wang, "Moment Matching for Multi-Source Domain Adaptation", 2019.
    """

    ENVIRONMENTS = ENVIRONMENTS["DomainNet"]
    CHECKPOINT_FREQ = 1000
    FOLDER = "domain_net"
    DOMAINS = ["clipart", "infograph", "painting", "quickdraw", "real", "sketch"]
    SOURCE = (
        "get groundtruth/clipart.zip, infograph.zip, groundtruth/painting.zip, quickdraw.zip, real.zip and sketch.zip "
        "from http://csr.bu.edu/ftp/visda/2019/multi-source/ and unpack them there"
    )


@register
class SVIRO(ImageFolder):
    """56,000 renderings of what is on the rear seats of ten cars, 7 classes.

    Dias Da Cruz, Wasenmüller, Beise, Stifter and Stricker, "SVIRO: Synthetic Vehicle Interior Rear Seat Occupancy
    Dataset and Benchmark", 2020.
    """

    ENVIRONMENTS = ENVIRONMENTS["SVIRO"]
    FOLDER = "sviro"
    DOMAINS = ENVIRONMENTS
    SOURCE = "get https://sviro.kl.dfki.de/?wpdmdl=1731, unpack it and rename its folder SVIRO_DOMAINBED to sviro"
