// Loaded before the page is painted, so that the chosen colours are there from the start.
"use strict";
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is blocked: the device's own choice holds.
}
document.documentElement.classList.add("script");
