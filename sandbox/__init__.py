"""A self-contained fake of Meta's Graph API, as far as a sender of conversions needs it (docs/sandbox.md)."""
