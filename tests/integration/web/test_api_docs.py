"""The viewer of the API's document, in a browser."""


def test_the_viewer_shows_the_api_under_its_strict_policy(site, visitor):
    visitor.open("/api/docs")
    visitor.page.get_by_text("/api/v1/conversions", exact=True).first.wait_for()
    visitor.page.get_by_text("/api/v1/rules", exact=True).first.click()
    assert visitor.complaints == []
