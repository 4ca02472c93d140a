"""Which language a page comes in."""

import pytest


@pytest.mark.parametrize(
    ("asked", "lang", "text"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.5", "pt-BR", "Endereço de e-mail"),
        ("pt-PT", "pt-BR", "Endereço de e-mail"),
        ("es-MX,es;q=0.9", "es", "Correo electrónico"),
        ("de-DE,en;q=0.5", "en", "E-mail address"),
        ("", "en", "E-mail address"),
        ("\"'<>;q=x", "en", "E-mail address"),
    ],
)
def test_a_page_comes_as_the_browser_asks(site, asked, lang, text):
    page = site.browser().get("/login", headers={"Accept-Language": asked}).text
    assert f'<html lang="{lang}">' in page
    assert text in page


def test_a_chosen_language_wins_and_goes_with_the_person(site):
    browser = site.as_role("viewer")
    browser.post("/language", {"language": "es", "next": "/account/"}, page="/account/")
    asks = {"Accept-Language": "pt-BR"}
    assert "Tu cuenta" in browser.get("/account/", headers=asks).text
    assert "Tu cuenta" in site.as_role("viewer").get("/account/", headers=asks).text
    refused = browser.post("/account/password", {"current": "wrong", "password": "x"})
    assert "La contraseña actual no es correcta." in browser.get(refused.headers["Location"], headers=asks).text
    assert browser.post("/language", {"language": "xx"}).status_code == 400


def test_reasons_alerts_and_the_audit_log_come_in_the_page_s_language(site):
    site.execute("insert into audit_log (actor, action, subject, workspace) values ('x', 'rule.add', 'y', 'default')")
    owner = site.as_role("owner")
    asks = {"Accept-Language": "pt-BR"}
    assert "Adicionou uma regra" in owner.get(site.path("audit/"), headers=asks).text
    assert "Eventos recusados, em 15 minutos" in owner.get(site.path("alerts/thresholds"), headers=asks).text
