"""Which column of a file is what: the names Ads Manager gives its columns, by language, and those of the plain form.

Taken from exports in English, Portuguese, Spanish, French, German and Italian. Case, accents and spaces don't count.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_NAMES: Mapping[str, Sequence[str]] = {
    "day": ("date", "day", "dia", "fecha", "data", "jour", "tag", "giorno"),
    "starts": (
        "reporting starts", "inicio dos relatorios", "inicio do relatorio", "inicio del informe", "debut des rapports",
        "berichtsstart", "inizio dei report", "inizio report",
    ),
    "ends": (
        "reporting ends", "termino dos relatorios", "encerramento dos relatorios", "termino do relatorio",
        "fin del informe", "fin des rapports", "berichtsende", "fine dei report", "fine report",
    ),
    "ad_id": (
        "ad id", "id do anuncio", "identificacao do anuncio", "id del anuncio", "identificador del anuncio",
        "id de la publicite", "identifiant de la publicite", "anzeigen id", "id inserzione", "id dell inserzione",
    ),
    "ad_name": (
        "ad name", "ad", "nome do anuncio", "nombre del anuncio", "nom de la publicite", "name der anzeige",
        "anzeigenname", "nome dell inserzione", "nome inserzione",
    ),
    "ad_set_id": (
        "ad set id", "adset id", "id do conjunto de anuncios", "identificacao do conjunto de anuncios",
        "id del conjunto de anuncios", "identificador del conjunto de anuncios",
        "identifiant de l ensemble de publicites", "id de l ensemble de publicites", "anzeigengruppen id",
        "id gruppo di inserzioni", "id del gruppo di inserzioni",
    ),
    "ad_set_name": (
        "ad set name", "adset name", "nome do conjunto de anuncios", "nombre del conjunto de anuncios",
        "nom de l ensemble de publicites", "anzeigengruppenname", "name der anzeigengruppe",
        "nome del gruppo di inserzioni", "nome gruppo di inserzioni",
    ),
    "campaign_id": (
        "campaign id", "id da campanha", "identificacao da campanha", "id de la campana",
        "identificador de la campana", "id de la campagne", "identifiant de la campagne", "kampagnen id",
        "id campagna", "id della campagna",
    ),
    "campaign_name": (
        "campaign name", "campaign", "nome da campanha", "nombre de la campana", "nom de la campagne",
        "kampagnenname", "name der kampagne", "nome della campagna", "nome campagna",
    ),
    "spend": (
        "spend", "amount spent", "valor usado", "valor gasto", "quantia gasta", "importe gastado", "monto gastado",
        "montant depense", "ausgegebener betrag", "importo speso",
    ),
    "currency": ("currency", "moeda", "moneda", "divisa", "devise", "wahrung", "valuta"),
    "impressions": ("impressions", "impressoes", "impresiones", "impressionen", "impression"),
    "reach": ("reach", "alcance", "couverture", "reichweite", "copertura"),
    "clicks": ("clicks", "clicks all", "cliques todos", "clics todos", "clics tous", "klicks alle", "clic tutti"),
    "link_clicks": (
        "link clicks", "cliques no link", "clics en el enlace", "clics sur un lien", "link klicks", "clic sul link",
    ),
    "conversations_started": (
        "conversations", "conversations started", "messaging conversations started", "conversas por mensagem iniciadas",
        "conversas iniciadas por mensagem", "conversaciones con mensajes iniciadas",
        "conversaciones por mensaje iniciadas", "conversaciones de mensajes iniciadas",
        "conversations par message demarrees", "gestartete unterhaltungen per messaging",
        "gestartete messaging unterhaltungen", "conversazioni tramite messaggio avviate",
    ),
}  # fmt: skip
_FIELD = {name: field for field, names in _NAMES.items() for name in names}
_CURRENCY = re.compile(r"\(([A-Z]{3})\)\s*$")


@dataclass(frozen=True)
class Columns:
    """Where each field stands in a line, and the currency that the heading of the spend names."""

    places: Mapping[str, int]
    currency: str | None


def recognise(heading: Sequence[str]) -> Columns:
    """The columns of a heading; what isn't known is left out. A name that comes twice counts where it comes first."""
    places: dict[str, int] = {}
    currency = None
    for place, cell in enumerate(heading):
        named = _CURRENCY.search(cell.strip())
        field = _FIELD.get(_plain(cell)) or (_FIELD.get(_plain(_CURRENCY.sub("", cell.strip()))) if named else None)
        if field is None or field in places:
            continue
        places[field] = place
        if field == "spend" and named:
            currency = named[1]
    return Columns(places, currency)


def _plain(cell: str) -> str:
    bare = "".join(char for char in unicodedata.normalize("NFKD", cell) if not unicodedata.combining(char))
    return " ".join(re.findall("[a-z0-9]+", bare.casefold().replace("ß", "ss")))
