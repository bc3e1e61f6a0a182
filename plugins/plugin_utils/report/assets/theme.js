"use strict";
// In the head, so that the page does not flash in the other colours first.
(function () {
  let theme = null;
  try {
    theme = localStorage.getItem("vellaric-theme");
  } catch (error) {
    // A browser that keeps nothing for files: the system's preference counts.
  }
  if (theme === "light" || theme === "dark") {
    document.documentElement.dataset.theme = theme;
  }
})();
