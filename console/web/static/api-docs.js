// The viewer of /api/docs. No validator of others is asked, and a key isn't kept after the page is closed.
"use strict";
SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#docs",
  validatorUrl: "none",
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  persistAuthorization: false,
});
