"""One person, one number: WhatsApp writes some countries' mobile numbers in two ways, and both must find the contact.

Brazil: WhatsApp ids often lack the ninth digit that mobile numbers have had since 2016. Mexico: ids carry a 1 after
the country code that is no longer dialled. Argentina: ids carry the 9 of international mobile calls, which address
books often leave out (https://faq.whatsapp.com/1294841057948784, "How to add an international phone number").
"""

import re

_BRAZIL_WITHOUT_NINE = re.compile(r"55([1-9][0-9])([6-9][0-9]{7})")
_MEXICO_WITH_ONE = re.compile(r"521([0-9]{10})")
_ARGENTINA_WITHOUT_NINE = re.compile(r"54([1-8][0-9]{9})")


def canonical_phone(digits: str) -> str:
    """The one form of a number's digits (country code first) by which a contact is looked up; others come back as is.

    It is for comparing only: what the provider gave stays the person's number.
    """
    if match := _BRAZIL_WITHOUT_NINE.fullmatch(digits):
        return f"55{match[1]}9{match[2]}"
    if match := _MEXICO_WITH_ONE.fullmatch(digits):
        return f"52{match[1]}"
    if match := _ARGENTINA_WITHOUT_NINE.fullmatch(digits):
        return f"549{match[1]}"
    return digits
