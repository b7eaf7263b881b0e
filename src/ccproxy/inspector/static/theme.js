// Dark, light, or as the system has it. What was chosen is kept in this browser.

const KEY = "ccproxy-theme";
const ORDER = ["auto", "dark", "light"];

/** Puts the chosen theme in place and says which it is. */
export function theme() {
  let name = "auto";
  try {
    name = localStorage.getItem(KEY) ?? "auto";
  } catch {
    // a browser that keeps nothing
  }
  if (!ORDER.includes(name)) name = "auto";
  document.documentElement.dataset.theme = name;
  return name;
}

/** The next one. */
export function nextTheme() {
  const name = ORDER[(ORDER.indexOf(document.documentElement.dataset.theme) + 1) % ORDER.length];
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // it holds until the page is left
  }
  document.documentElement.dataset.theme = name;
  return name;
}
