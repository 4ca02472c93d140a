"""Files of spend: known by their headings in six languages, with a verdict for each line."""

from datetime import date
from decimal import Decimal

import pytest

from console.errors import InvalidError
from console.spend.file import read_file

EXPORTS = {
    "English": "Reporting starts,Reporting ends,Campaign name,Ad ID,Ad name,Amount spent (BRL),Impressions,"
    "Clicks (all),Link clicks,Messaging conversations started",
    "Portuguese": "Início dos relatórios,Término dos relatórios,Nome da campanha,Identificação do anúncio,"
    "Nome do anúncio,Valor usado (BRL),Impressões,Cliques (todos),Cliques no link,Conversas por mensagem iniciadas",
    "Spanish": "Inicio del informe,Fin del informe,Nombre de la campaña,Identificador del anuncio,Nombre del anuncio,"
    "Importe gastado (BRL),Impresiones,Clics (todos),Clics en el enlace,Conversaciones con mensajes iniciadas",
    "French": "Début des rapports,Fin des rapports,Nom de la campagne,Identifiant de la publicité,"
    "Nom de la publicité,Montant dépensé (BRL),Impressions,Clics (tous),Clics sur un lien,"
    "Conversations par message démarrées",
    "German": "Berichtsstart,Berichtsende,Kampagnenname,Anzeigen-ID,Anzeigenname,Ausgegebener Betrag (BRL),"
    "Impressionen,Klicks (alle),Link-Klicks,Gestartete Unterhaltungen per Messaging",
    "Italian": "Inizio dei report,Fine dei report,Nome della campagna,ID inserzione,Nome dell'inserzione,"
    "Importo speso (BRL),Impression,Clic (tutti),Clic sul link,Conversazioni tramite messaggio avviate",
}


def only(content, **options):
    (line,) = read_file(content.encode(), **options).lines
    return line


@pytest.mark.parametrize("language", EXPORTS)
def test_an_export_of_ads_manager_is_read_in_every_language(language):
    line = only(f'{EXPORTS[language]}\n2026-11-20,2026-11-20,Camp,ag:120330000000000001,Ad,12.34,"1,200",30,20,5\n')
    row = line.row
    assert row is not None, line.problem
    assert (row.day, row.level, row.object_id) == (date(2026, 11, 20), "ad", "120330000000000001")
    assert (row.spend, row.currency) == (Decimal("12.34"), "BRL")
    assert row.counts == {
        "impressions": 1200, "reach": None, "clicks": 30, "link_clicks": 20, "conversations_started": 5,
    }  # fmt: skip
    assert row.names["ad_name"] == "Ad"


def test_the_plain_form_is_read():
    line = only("date,ad_id,spend,currency,impressions,clicks,conversations\n2026-11-20,123,1.5,usd,10,2,1\n")
    assert line.row is not None
    assert (line.row.spend, line.row.currency, line.row.counts["conversations_started"]) == (Decimal("1.5"), "USD", 1)


def test_semicolons_a_byte_order_mark_and_lines_before_the_heading_are_no_hindrance():
    content = "\ufeffRelatório\n\nDia;Nome da campanha;Valor usado (BRL)\n20/11/2026;Promoção;1.234,50\n;;9,00\n"
    row = only(content).row
    assert row is not None
    assert (row.level, row.object_id, row.spend) == ("campaign", "name:Promoção", Decimal("1234.50"))
    utf16 = read_file(content.removeprefix("\ufeff").encode("utf-16")).lines
    assert [line.row for line in utf16] == [row]


@pytest.mark.parametrize(
    ("cells", "code"),
    [("2026-11-20,1.20330E+17,1.00,USD", "id_rounded"), ("2026-11-20,x,1.00,USD", "id_invalid"),
     ("2026-02-30,123,1.00,USD", "date_invalid"), ("2026-11-20,123,free,USD", "number_invalid"),
     ("2026-11-20,123,1.00,dollars", "currency_invalid")],
)  # fmt: skip
def test_a_line_that_cannot_be_used_says_why(cells, code):
    assert only(f"date,ad_id,spend,currency\n{cells}\n").problem == code


def test_a_line_over_several_days_is_refused():
    line = only("Reporting starts,Reporting ends,Ad ID,Amount spent (USD)\n2026-11-01,2026-11-30,123,9.00\n")
    assert line.problem == "not_by_day"


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PK\x03\x04", b"day\n2026-11-20\n"])
def test_what_is_no_spend_is_refused_as_a_whole(content):
    with pytest.raises(InvalidError):
        read_file(content)
