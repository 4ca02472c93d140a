"""The web console: pages rendered on the server, with htmx and uPlot. docs/console.md says how to add one."""
