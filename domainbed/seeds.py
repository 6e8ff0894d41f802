"""Seeds derived from names, so that every random draw has a separate stream."""

import hashlib


def seed_hash(*args: object) -> int:
    """MD5 of the text of the argument tuple, modulo 2**31. Arguments must be plain Python values."""
    return int(hashlib.md5(str(args).encode("utf-8")).hexdigest(), 16) % 2**31
