import pytest

from sampan.kernel.router import Router


@pytest.fixture
def router() -> Router[str]:
    router: Router[str] = Router()
    for template in ("/", "/carts", "/carts/{id}", "/carts/{id}/lines/{line}", "/carts/new", "/media/{key...}"):
        router.add(template, template)
    return router


@pytest.mark.parametrize(
    ("path", "template", "parameters"),
    [
        ("/", "/", []),
        ("/carts", "/carts", []),
        ("/carts/1", "/carts/{id}", ["1"]),
        ("/carts/new", "/carts/new", []),
        ("/carts/new/lines/2", "/carts/{id}/lines/{line}", ["new", "2"]),
        ("/media/a/b.webp", "/media/{key...}", ["a/b.webp"]),
    ],
)
def test_a_fixed_segment_goes_before_a_parameter(router, path, template, parameters):
    assert router.find(path) == (template, parameters)


@pytest.mark.parametrize("path", ["", "/cart", "/carts/", "/carts//lines/1", "/carts/1/lines", "/media/", "//carts"])
def test_what_fits_no_template_is_not_found(router, path):
    assert router.find(path) is None


def test_the_names_of_parameters_do_not_matter(router):
    assert router.at("/carts/{cart_id}") == "/carts/{id}"
    assert router.at("/nothing/{here}") is None
