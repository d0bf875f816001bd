// Sets the theme before the first paint: light, dark, or what the system says.
(() => {
  const choices = ["system", "light", "dark"];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try {
      const kept = localStorage.getItem("fleet-theme");
      return choices.includes(kept) ? kept : "system";
    } catch {
      return "system"; // storage may be forbidden
    }
  };
  const apply = (choice) => {
    const isDark = choice === "dark" || (choice === "system" && dark.matches);
    document.documentElement.dataset.bsTheme = isDark ? "dark" : "light";
    const button = document.getElementById("theme");
    if (button) {
      button.title = `Theme: ${choice}`;
      button.hidden = false;
    }
  };
  apply(read());
  dark.addEventListener("change", () => apply(read()));
  addEventListener("storage", () => apply(read()));
  document.addEventListener("DOMContentLoaded", () => {
    apply(read());
    document.getElementById("theme")?.addEventListener("click", () => {
      const next = choices[(choices.indexOf(read()) + 1) % choices.length];
      try {
        localStorage.setItem("fleet-theme", next);
      } catch {
        /* then it lasts for this page */
      }
      apply(next);
    });
  });
})();
