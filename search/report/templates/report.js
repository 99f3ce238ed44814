"use strict";
(() => {
  const NARROW = 600, LETTER = 6.2, LONGEST = 0.42;
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let chosen = null; // Until the button is pressed, the system's choice.

  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  function shortened(text, letters) {
    if (text.length <= letters) return text;
    const end = Math.floor((letters - 1) / 2);
    return text.slice(0, letters - 1 - end) + "…" + text.slice(text.length - end);
  }

  function axis(given) {
    return { ...given, gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line") };
  }

  function layout(given, width) {
    const narrow = width < NARROW;
    const { title, template, ...rest } = given; // The page has headings, and colours, of its own.
    const made = {
      ...rest,
      width,
      height: given.height + (narrow ? 60 : 0),
      font: { color: colour("--text"), family: getComputedStyle(document.body).fontFamily, size: narrow ? 11 : 12 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { ...given.hoverlabel, bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--text") } },
      margin: { ...given.margin, t: 24, l: narrow ? 48 : 64, r: narrow ? 12 : 24 },
      dragmode: narrow ? false : "zoom", // A finger scrolls the page.
      xaxis: axis(given.xaxis),
      yaxis: { ...axis(given.yaxis), automargin: true },
    };
    if (made.yaxis.title) made.yaxis.title = { ...made.yaxis.title, standoff: narrow ? 4 : 10 };
    if (made.yaxis.tickvals) {
      const letters = Math.floor((width * LONGEST) / LETTER);
      made.yaxis.ticktext = made.yaxis.tickvals.map((text) => shortened(text, letters));
    }
    return made;
  }

  function draw() {
    root.dataset.theme = chosen ?? (dark.matches ? "dark" : "light");
    for (const [name, figure] of Object.entries(figures)) {
      const place = document.getElementById("figure-" + name);
      // The bar would cover the legend: for good where nothing can hover.
      const bar = place.clientWidth < NARROW || matchMedia("(hover: none)").matches ? false : "hover";
      const options = { displaylogo: false, displayModeBar: bar };
      // Plotly writes into what it is given.
      const copy = structuredClone(figure);
      Plotly.react(place, copy.data, layout(copy.layout, place.clientWidth), options);
    }
  }

  let pending = 0, drawn = 0;
  window.addEventListener("resize", () => {
    if (window.innerWidth === drawn) return; // A phone's address bar changes the height only.
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => { drawn = window.innerWidth; draw(); });
  });
  dark.addEventListener("change", draw);
  document.getElementById("theme").addEventListener("click", () => {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    draw();
  });
  drawn = window.innerWidth;
  draw();
})();
