"""Uploaded pictures become WebP renditions; nothing of the upload itself is kept or served."""

import asyncio
import hashlib
import io
import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from PIL import Image, UnidentifiedImageError

from sampan.kernel.errors import ShopError
from sampan.kernel.files import Files
from sampan.services.catalog.contract import Media, Texts

WIDTHS: Final = (320, 480, 640, 960)  # 480: two columns on most phones
MOST_WIDTH: Final = 1280  # of a wider picture's widest rendition
MOST_HEIGHT: Final = 8_000  # of any rendition
MOST_PIXELS: Final = 40_000_000
FORMATS: Final = ("JPEG", "PNG", "WEBP")
ORIENTATION: Final = 0x0112  # in EXIF; what each value asks for:
TURNS: Final[dict[object, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
KEY: Final = re.compile(r"media/[0-9a-f]{2}/[0-9a-f]{32}/(\d{1,4})-(\d{1,4})x(\d{1,4})\.webp\Z")


class BadPicture(ShopError, code="catalog.bad_picture", status=422):
    """The upload is not a JPEG, PNG or WebP picture, or it is too large."""


class Renditions(Struct, frozen=True):
    """WebP bytes by width, narrow to wide, with the size of the widest in pixels."""

    files: dict[int, bytes]
    width: int
    height: int


def renditions(data: bytes) -> Renditions:
    """The renditions of an upload. Metadata is gone, its orientation applied.

    Raises:
        BadPicture: not a picture of the kinds we take, more than 40 million pixels, or too long for its width.
    """
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
        if picture.width * picture.height > MOST_PIXELS:
            raise BadPicture("the picture has more than 40 million pixels")
        picture.draft(None, (2 * MOST_WIDTH, 2 * MOST_WIDTH))  # a large JPEG is read at half its size or less
        picture.load()
        upright = turned(picture)
        plain = upright.convert("RGBA" if "A" in upright.getbands() or "transparency" in upright.info else "RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise BadPicture("this is not a JPEG, PNG or WebP picture") from None
    if plain.height * min(1, MOST_WIDTH / plain.width) > MOST_HEIGHT:
        raise BadPicture(f"the picture would be more than {MOST_HEIGHT} pixels high")
    return encoded(plain)


def turned(picture: Image.Image) -> Image.Image:
    """The picture the way the camera was held. Only this is read of what a file says of itself: cameras and editors
    write the rest with mistakes, and it is thrown away.
    """
    turn = TURNS.get(picture.getexif().get(ORIENTATION))
    return picture if turn is None else picture.transpose(turn)


def encoded(picture: Image.Image, *, quality: int = 80, method: int = 4) -> Renditions:
    """The renditions of a picture, each scaled from a wider one. `method` 0 is fast, 6 is small."""
    widest = min(picture.width, MOST_WIDTH)
    found: dict[int, bytes] = {}
    scaled = {picture.size: picture}
    source = picture
    for width in (widest, *(width for width in reversed(WIDTHS) if width < widest)):
        size = (width, max(1, round(picture.height * width / picture.width)))
        if twice := scaled.get((2 * size[0], 2 * size[1])):
            source = twice.reduce(2)  # each pixel the mean of four: as good, and fifteen times as fast
        elif size != source.size:
            source = source.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        scaled[size] = source
        if not found:
            height = source.height
        output = io.BytesIO()
        source.save(output, "WEBP", quality=quality, method=method)
        found[width] = output.getvalue()
    return Renditions(dict(sorted(found.items())), widest, height)


async def keep_picture(files: Files, data: bytes, alt: Texts) -> Media:
    """Make the renditions of an upload and keep them, named by the upload's content. Raises BadPicture."""
    made = await asyncio.to_thread(renditions, data)
    return await keep_renditions(files, hashlib.sha256(data).hexdigest(), made, alt)


async def keep_renditions(files: Files, digest: str, made: Renditions, alt: Texts) -> Media:
    """Keep renditions under the digest of what they were made from. The widest comes last: with it all are there."""
    for width, content in made.files.items():
        await files.put(key_for(digest, width, made.width, made.height), content, "image/webp")
    url = files.url(key_for(digest, made.width, made.width, made.height))
    return Media(url=url, alt=alt, width=made.width, height=made.height, widths=sorted(made.files))


def key_for(digest: str, rendition: int, width: int, height: int) -> str:
    """Where a rendition is kept: the name says its own width, and the size of the widest one."""
    return f"media/{digest[:2]}/{digest[2:34]}/{rendition}-{width}x{height}.webp"


async def known_media(files: Files, urls: set[str]) -> Mapping[str, Media]:
    """By address, those of the pictures that were uploaded before, without a text."""
    found: dict[str, Media] = {}
    for url in urls:
        named = KEY.search(url)
        if named is None or files.url(named[0]) != url or not await files.exists(named[0]):
            continue
        rendition, width, height = (int(number) for number in named.groups())
        if rendition == width:
            narrower = [each for each in WIDTHS if each < width]  # those that were made at the time of the upload
            kept = [each for each in narrower if await files.exists(named[0].replace(f"/{width}-", f"/{each}-"))]
            widths = [*kept, width]
            found[url] = Media(url=url, alt={}, width=width, height=height, widths=widths)
    return found
