"""Uploads: pictures are made anew, everything else is refused, and what is served cannot do anything."""

import io
import random
import struct
import zlib

import pytest
from PIL import Image
from PIL.ExifTags import Base
from tests.world import SEED, TORTURE, Reply, World, picture_bytes

UPLOAD = "/api/v1/admin/media"
SCRIPT = b"<script>alert(document.domain)</script><?php system($_GET['c']); ?>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'


async def upload(world: World, data: bytes, media: str = "image/png") -> Reply:
    return await world.wire.send("POST", UPLOAD, [*world.staff.items(), ("content-type", media)], data)


def png(width: int, height: int, *more: tuple[bytes, bytes]) -> bytes:
    """A PNG that says it has this size, with further chunks and next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), *more, (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks)


def animation(kind: str) -> bytes:
    output = io.BytesIO()
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "green", "blue")]
    frames[0].save(output, kind, save_all=True, append_images=frames[1:], duration=100)
    return output.getvalue()


NOT_TAKEN = {
    "SVG": SVG,
    "SVG behind a PNG's beginning": b"\x89PNG\r\n\x1a\n" + SVG,
    "HTML": b"<!doctype html>" + SCRIPT,
    "GIF": animation("GIF"),
    "GIF and script": b"GIF89a=1;alert(1)//",
    "BMP": picture_bytes(kind="BMP"),
    "TIFF": picture_bytes(kind="TIFF"),
    "ICO": picture_bytes(kind="ICO"),
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<</OpenAction<</JS(app.alert(1))>>>>",
    "PostScript": b"%!PS-Adobe-3.0\n(%pipe%id) (r) file",
    "ZIP": b"PK\x03\x04" + b"\0" * 100,
    "ELF": b"\x7fELF" + b"\0" * 100,
    "MVG": b"push graphic-context\nfill 'url(https://evil.example/)'",
    "nothing": b"",
    "zeros": b"\0" * 1000,
    "a PNG that was cut off": picture_bytes((400, 400))[:-200],
    "a JPEG that was cut off": picture_bytes((400, 400), "JPEG")[:400],
    "a PNG of 30,000 by 30,000": png(30_000, 30_000),
    "a PNG of 2^31 by 2^31": png(2**31 - 1, 2**31 - 1),
    "a PNG without width": png(0, 100),
    "a thread of 1 by 60,000": picture_bytes((1, 60_000)),
    "a PNG that unpacks to 200 MB of text": png(
        10, 10, (b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 200_000_000, 9))
    ),
    "a profile that unpacks to 200 MB": png(10, 10, (b"iCCP", b"x\0\0" + zlib.compress(b"a" * 200_000_000, 9))),
}


@pytest.mark.parametrize("what", NOT_TAKEN)
async def test_what_is_no_picture_is_refused_whatever_it_says_it_is(world: World, what: str) -> None:
    for media in ("image/png", "image/jpeg", "image/webp"):
        reply = await upload(world, NOT_TAKEN[what], media)
        assert (reply.status, reply.json()["code"]) == (422, "catalog.bad_picture"), reply.text


@pytest.mark.parametrize(
    "media", ["image/svg+xml", "text/html", "image/gif", "application/zip", "multipart/form-data", "*/*", ""]
)
async def test_other_types_are_not_even_looked_at(world: World, media: str) -> None:
    assert (await upload(world, picture_bytes(), media)).status == 415


async def served(world: World, reply: Reply) -> Reply:
    assert reply.status == 201, reply.text
    found = await world.wire.send("GET", reply.json()["url"])
    assert found.status == 200
    assert found.header("content-type") == "image/webp"
    assert found.header("x-content-type-options") == "nosniff"
    assert found.header("content-security-policy") == "default-src 'none'; sandbox"
    return found


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_a_picture_is_made_anew_so_that_nothing_travels_with_it(world: World, kind: str) -> None:
    exif = Image.Exif()
    exif[Base.Artist] = "canary artist"
    exif[Base.ImageDescription] = SCRIPT.decode()
    exif.get_ifd(0x8825)[2] = (10.0, 46.0, 30.0)  # where it was taken
    data = picture_bytes((60, 60), kind, exif=exif.tobytes(), icc_profile=b"canary profile") + SCRIPT + b"PK\x03\x04"
    found = await served(world, await upload(world, data, f"image/{kind.lower()}"))
    for word in (b"canary", b"script", b"php", b"PK\x03\x04", b"EXIF", b"ICCP"):
        assert word not in found.body
    picture = Image.open(io.BytesIO(found.body))
    assert not picture.getexif()
    assert picture.format == "WEBP"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
async def test_of_an_animation_one_picture_is_kept(world: World, kind: str) -> None:
    found = await served(world, await upload(world, animation(kind), f"image/{kind.lower()}"))
    assert getattr(Image.open(io.BytesIO(found.body)), "n_frames", 1) == 1


async def test_names_of_files_are_not_chosen_by_who_uploads(world: World) -> None:
    headers = [*world.staff.items(), ("content-type", "image/png"), ("x-filename", "../../evil.html")]
    headers += [("content-disposition", 'attachment; filename="../../evil.html"'), ("slug", "evil.html")]
    reply = await world.wire.send("POST", UPLOAD, headers, picture_bytes((33, 44)))
    assert "evil" not in reply.text
    name = reply.json()["url"].removeprefix("/files/media/")
    assert len(name.split("/")[1]) == 32


@pytest.mark.parametrize(
    "path",
    ["/files/../secret", "/files/..%2Fsecret", "/files/%2e%2e/secret", "/files//etc/passwd", "/files/media/../../secret",
     "/files/media%5C..%5Csecret", "/files/media/%00.webp", "/files/media/.webp", "/files/media/", "/files/",
     "/static/../sampan.css", "/static/..%2f..%2frun.py", "/static/%2e%2e/%2e%2e/pyproject.toml",
     "/files/media/" + "a" * 5000 + ".webp", "/files/media/" + "a/" * 500 + "b.webp"],
)  # fmt: skip
async def test_no_path_leads_out_of_the_folder(world: World, path: str) -> None:
    (world.shop.settings.home / "secret").write_text("canary of the home")
    reply = await world.wire.send("GET", path)
    assert reply.status in (400, 404, 422)
    assert b"canary" not in reply.body


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")
async def test_damaged_pictures_are_refused_or_mended_and_never_an_error(world: World) -> None:
    print(f"SAMPAN_SEED={SEED}")
    chance = random.Random(SEED)
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    kinds = {"PNG": {"exif": exif}, "JPEG": {"exif": exif, "progressive": True}, "WEBP": {"exif": exif}}
    for number in range(2000 if TORTURE else 150):
        kind = ("PNG", "JPEG", "WEBP")[number % 3]
        data = bytearray(picture_bytes((30, 20), kind, **kinds[kind]))
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(min(len(data), 120) if chance.random() < 0.7 else len(data))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        reply = await upload(world, bytes(data), f"image/{kind.lower()}")
        assert reply.status in (201, 422), (number, reply.text)
