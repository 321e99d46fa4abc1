// Shows the values of all lines at the pointer; the charts are complete without it.
for (const figure of document.querySelectorAll("[data-chart]")) {
  const chart = JSON.parse(figure.dataset.chart);
  const svg = figure.querySelector("svg"), cursor = figure.querySelector(".cursor"), tip = figure.querySelector("output");
  const hide = () => { tip.style.display = "none"; cursor.setAttribute("d", ""); };
  figure.querySelector(".plot").addEventListener("pointerleave", hide);
  figure.querySelector(".plot").addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
    const at = (event.clientX - box.left) / scale;
    if (at < chart.left - 5 || at > chart.right + 5) return hide();
    const distance = (point) => Math.abs(point[0] - at);
    const nearest = (points) => points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
    const found = chart.lines.filter((line) => line.points.length).map((line) => [line, nearest(line.points)]);
    const anchor = nearest(found.map(([, point]) => point));
    const near = found.filter(([, point]) => Math.abs(point[0] - anchor[0]) < 12 && point[2] !== null);
    if (!near.length) return hide();
    cursor.setAttribute("d", `M${anchor[0]} ${chart.top}V${chart.bottom}`);
    tip.replaceChildren(Object.assign(document.createElement("div"), { textContent: `${chart.label}: ${anchor[1]}` }));
    for (const [line, point] of near) {
      const row = document.createElement("div"), swatch = document.createElement("i");
      swatch.className = `b${line.colour}`;
      row.append(swatch, `${line.name}  ${point[2]}`);
      tip.append(row);
    }
    tip.style.display = "block";
    const left = anchor[0] * scale, room = box.width - tip.offsetWidth - 12;
    tip.style.left = `${left + 12 > room ? Math.max(0, left - tip.offsetWidth - 12) : left + 12}px`;
    tip.style.top = "16px";
  });
}
