"""The published image datasets of DomainBed that are folders of images."""

from domainbed.datasets.folders import ImageFolder
from domainbed.datasets.registry import register
from domainbed.names import ENVIRONMENTS


def _source(name: str) -> str:
    return f"get it with: python -m domainbed.scripts.download --dataset {name} --data_dir DATA_DIR"


@register
class VLCS(ImageFolder):
    """10,729 photographs of 5 classes (bird, car, chair, dog, person) from four collections.

    Environments: C (Caltech101) 1,415, L (LabelMe) 2,656, S (SUN09) 3,282, V (VOC2007) 3,376.
    Licence: those of the four collections; for the whole none is stated that we know of.
    Known bad files: nine images of the original's list occur twice.
    Remarks: copies built from the collections name the files at random, so that their splits differ from those of the
    published archive.
    Source: C. Fang, Y. Xu and D. N. Rockmore, Unbiased Metric Learning: On the Utilization of Multiple Datasets and
    Web Images for Softening Bias, ICCV 2013.
    """

    ENVIRONMENTS = ENVIRONMENTS["VLCS"]
    FOLDER = "VLCS"
    DOMAINS = ["Caltech101", "LabelMe", "SUN09", "VOC2007"]
    SOURCE = _source("VLCS")


@register
class PACS(ImageFolder):
    """9,991 images of 7 classes (dog, elephant, giraffe, guitar, horse, house, person) in four styles.

    Environments: A (art_painting) 2,048, C (cartoon) 2,344, P (photo) 1,670, S (sketch) 3,929.
    Licence: none stated that we know of.
    Known bad files: none that we know of.
    Remarks: sketches are far from balanced, 816 horses beside 80 houses.
    Source: D. Li, Y. Yang, Y.-Z. Song and T. M. Hospedales, Deeper, Broader and Artier Domain Generalization,
    ICCV 2017, arXiv:1710.03077.
    """

    ENVIRONMENTS = ENVIRONMENTS["PACS"]
    FOLDER = "PACS"
    DOMAINS = ["art_painting", "cartoon", "photo", "sketch"]
    SOURCE = _source("PACS")


@register
class OfficeHome(ImageFolder):
    """15,588 images of 65 objects found in offices and homes.

    Environments: A (Art) 2,427, C (Clipart) 4,365, P (Product) 4,439, R (Real World) 4,357.
    Licence: none stated that we know of.
    Known bad files: none that we know of.
    Source: H. Venkateswara, J. Eusebio, S. Chakraborty and S. Panchanathan, Deep Hashing Network for Unsupervised
    Domain Adaptation, CVPR 2017, arXiv:1706.07522.
    """

    ENVIRONMENTS = ENVIRONMENTS["OfficeHome"]
    FOLDER = "office_home"
    DOMAINS = ["Art", "Clipart", "Product", "Real World"]
    SOURCE = _source("OfficeHome")


@register
class TerraIncognita(ImageFolder):
    """About 24,000 pictures by camera traps at four locations: 10 classes, which are nine animals and none.

    Environments: L100, L38, L43 and L46, by the number of the location.
    Licence: Community Data License Agreement, permissive variant.
    Known bad files: none that we know of.
    Remarks: the original paper counts 24,788 images, copies made as here have about 24,330. An image that shows animals
    of two classes is in both. Whole images are used; the animal may be small, or hard to see.
    Source: S. Beery, G. Van Horn and P. Perona, Recognition in Terra Incognita, ECCV 2018, arXiv:1807.04975.
    """

    ENVIRONMENTS = ENVIRONMENTS["TerraIncognita"]
    FOLDER = "terra_incognita"
    DOMAINS = ["location_100", "location_38", "location_43", "location_46"]
    SOURCE = _source("TerraIncognita")


@register
class DomainNet(ImageFolder):
    """586,575 images of 345 classes in six styles.

    Environments: clip (clipart) 48,129, info (infograph) 51,605, paint (painting) 72,266, quick (quickdraw)
    172,500, real 172,947, sketch 69,128.
    Licence: none stated that we know of.
    Known bad files: the archives hold up to 9,431 duplicates more (704, 1,596, 3,493, 0, 2,380, 1,258), which the
    original and the download script remove.
    Source: X. Peng, Q. Bai, X. Xia, Z. Huang, K. Saenko and B. Wang, Moment Matching for Multi-Source Domain
    Adaptation, ICCV 2019, arXiv:1812.01754.
    """

    ENVIRONMENTS = ENVIRONMENTS["DomainNet"]
    CHECKPOINT_FREQ = 1000
    FOLDER = "domain_net"
    DOMAINS = ["clipart", "infograph", "painting", "quickdraw", "real", "sketch"]
    SOURCE = _source("DomainNet")


@register
class SVIRO(ImageFolder):
    """56,000 renderings of the rear seats of ten cars, 7 classes: what is on a seat.

    Environments: the ten cars, by name.
    Licence: none stated that we know of.
    Known bad files: none that we know of.
    Source: S. Dias Da Cruz, O. Wasenmüller, H.-P. Beise, T. Stifter and D. Stricker, SVIRO: Synthetic Vehicle Interior
    Rear Seat Occupancy Dataset and Benchmark, WACV 2020, arXiv:2001.03483.
    """

    ENVIRONMENTS = ENVIRONMENTS["SVIRO"]
    FOLDER = "sviro"
    DOMAINS = ENVIRONMENTS
    SOURCE = _source("SVIRO")
