"""Uploaded pictures become WebP renditions; nothing of the upload itself is kept or served."""

import asyncio
import hashlib
import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from sampan.kernel.errors import ShopError
from sampan.kernel.files import Files
from sampan.services.catalog.contract import Media, Texts

WIDTHS = (320, 640, 960)
MOST_PIXELS = 40_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
QUALITY = 80


class BadPicture(ShopError, code="catalog.bad_picture", status=422):
    """The upload is not a JPEG, PNG or WebP picture, or it is too large."""


def renditions(data: bytes) -> tuple[dict[int, bytes], int, int]:
    """WebP bytes by width, and the widest one's width and height in pixels. Metadata is gone, orientation applied.

    Raises:
        BadPicture: not a picture of the kinds we take, or more than 40 million pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
            if picture.width * picture.height > MOST_PIXELS:
                raise BadPicture("the picture has more than 40 million pixels")
            picture.load()
            upright = ImageOps.exif_transpose(picture) or picture
            plain = upright.convert("RGBA" if "A" in upright.getbands() or "transparency" in upright.info else "RGB")
    except BadPicture:
        raise
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning):
        raise BadPicture("this is not a JPEG, PNG or WebP picture") from None
    widths = [width for width in WIDTHS if width < plain.width] + [min(plain.width, 1280)]
    found, height = {}, 0
    for width in dict.fromkeys(widths):
        height = max(1, round(plain.height * width / plain.width))
        scaled = plain if width == plain.width else plain.resize((width, height), Image.Resampling.LANCZOS)
        output = io.BytesIO()
        scaled.save(output, "WEBP", quality=QUALITY, method=4)
        found[width] = output.getvalue()
    return found, max(found), height


async def keep_picture(files: Files, data: bytes, alt: Texts) -> Media:
    """Make the renditions of an upload and keep them, named by content. Raises BadPicture."""
    made, width, height = await asyncio.to_thread(renditions, data)
    return await keep_renditions(files, data, made, width, height, alt)


async def keep_renditions(
    files: Files, data: bytes, made: dict[int, bytes], width: int, height: int, alt: Texts
) -> Media:
    digest = hashlib.sha256(data).hexdigest()
    folder = f"media/{digest[:2]}/{digest[2:34]}"
    for each, content in made.items():
        await files.put(f"{folder}/{each}-{width}x{height}.webp", content, "image/webp")
    url = files.url(f"{folder}/{width}-{width}x{height}.webp")
    return Media(url=url, alt=alt, width=width, height=height, widths=sorted(made))


def known_media(url: str, widths: tuple[int, ...] = WIDTHS) -> tuple[int, int, list[int]] | None:
    """Width, height and rendition widths of a picture by the address that its upload answered; None for any other."""
    name = url.rpartition("/")[2]
    try:
        widest, _, size = name.removesuffix(".webp").partition("-")
        width, _, height = size.partition("x")
        found = int(width), int(height)
    except ValueError:
        return None
    if widest != width or "/media/" not in url or not all(0 < side <= 20_000 for side in found):
        return None
    return found[0], found[1], sorted({*(w for w in widths if w < found[0]), found[0]})
