"""A self-contained fake of Meta's Graph API, as far as a Conversions API sender needs it (docs/sandbox.md)."""
