"""GET /api/docs: the API's document, to read and to try. Everything it loads is our own, from vendored files."""

from flask import Response

from console.web.assets import version

_UI = "vendor/swagger-ui-5.35.0"
#: Its icons are data: addresses in its style sheet; nothing in line runs, and nothing comes from elsewhere.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; frame-ancestors 'none'; base-uri 'none';"
    " form-action 'none'"
)


def viewer() -> Response:
    """The page. The key that is typed into it stays in the page, and goes when that is closed."""
    page = f"""<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>API · CTWA</title>
  <link rel="icon" href="{_static("icon.svg")}" type="image/svg+xml">
  <link rel="stylesheet" href="{_static(f"{_UI}/swagger-ui.css")}">
  <script src="{_static(f"{_UI}/swagger-ui-bundle.js")}" defer></script>
  <script src="{_static("api-docs.js")}" defer></script>
</head>
<body>
<main id="docs"><noscript>Scripts are off. <a href="/api/v1/openapi.json">The document itself</a></noscript></main>
</body>
</html>
"""
    response = Response(page, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Frame-Options"] = "DENY"
    return response


def _static(name: str) -> str:
    return f"/static/{name}?v={version(name)}"
