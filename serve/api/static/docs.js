// Starts Swagger UI on this server's OpenAPI document.
window.ui = SwaggerUIBundle({
  url: new URL("../openapi.json", location.href).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  layout: "StandaloneLayout",
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  plugins: [SwaggerUIBundle.plugins.DownloadUrl],
  tryItOutEnabled: true,
  validatorUrl: null, // its badge would ask an address outside
});
