// Charts by day, week or month: each element with data-chart becomes one. The numbers stand in a table beside it as well.
"use strict";

(() => {
  const drawn = new Map();

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // light-dark() in a custom property is only worked out where it is used.
  const resolved = (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found || colour(name);
  };

  const formats = (data) => {
    const whole = new Intl.NumberFormat(data.locale, { maximumFractionDigits: 0 });
    const short = new Intl.NumberFormat(data.locale, { notation: "compact", maximumFractionDigits: 1 });
    const money = data.currency
      ? new Intl.NumberFormat(data.locale, { style: "currency", currency: data.currency, maximumFractionDigits: 0 })
      : whole;
    const percent = new Intl.NumberFormat(data.locale, { style: "percent", maximumFractionDigits: 1 });
    const written = data.unit === "month" ? { month: "short", year: "2-digit" } : { day: "numeric", month: "short" };
    const begin = new Intl.DateTimeFormat(data.locale, { ...written, timeZone: "UTC" });
    return {
      count: (value) => whole.format(value),
      money: (value) => money.format(value),
      spend: (value) => money.format(value),
      rate: (value) => percent.format(value),
      axis: { count: (value) => short.format(value), money: (value) => short.format(value), rate: (value) => percent.format(value) },
      begin: (seconds) => begin.format(new Date(seconds * 1000)),
      name: (number) => data.names[number] + (data.cut.includes(data.times[number]) ? ` (${data.cutWord})` : ""),
    };
  };

  // What spend is not known of stands on a shaded ground, and what is not whole between dashed lines.
  const shade = (data, ground, line) => (plot) => {
    const { ctx, bbox } = plot;
    const half = plot.valToPos(data.times[0] + data.step / 2, "x", true) - plot.valToPos(data.times[0], "x", true);
    const left = (time) => Math.max(plot.valToPos(time, "x", true) - half, bbox.left);
    ctx.save();
    ctx.fillStyle = ground;
    for (const time of data.gaps) ctx.fillRect(left(time), bbox.top, 2 * half, bbox.height);
    ctx.strokeStyle = line;
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const time of data.cut) ctx.strokeRect(left(time), bbox.top, 2 * half, bbox.height);
    ctx.restore();
  };

  // Weeks and months begin where they begin, and not at multiples of so many days: as many as there is room for.
  const begins = (data, most) => {
    const every = Math.max(1, Math.ceil(data.times.length / Math.max(1, most)));
    return data.times.filter((time, number) => (data.times.length - 1 - number) % every === 0);
  };

  const options = (data, width) => {
    const text = resolved("--muted");
    const grid = resolved("--chart-grid");
    const format = formats(data);
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const scales = { x: { time: false, range: (plot, low, high) => [low - data.step / 2, high + data.step / 2] } };
    const used = [...new Set(data.series.map((one) => one.scale))];
    // Bars of spend fill the lower part only, and lines have the rest.
    const room = { spend: 2.2, rate: 1, count: 1.08, money: 1.08 };
    for (const scale of used) {
      scales[scale] = { range: (plot, low, high) => [0, Math.max(1, (high ?? 0) * room[scale])] };
    }
    const shown = used.filter((scale) => scale !== "spend");
    const axis = { stroke: text, font, ticks: { show: false }, grid: { stroke: grid, width: 1 }, border: { show: false } };
    return {
      width,
      height: 300,
      padding: [8, shown.length > 1 ? 0 : 12, 0, 0],
      cursor: { points: { size: 7 }, drag: { x: false, y: false } },
      legend: { live: true },
      scales,
      axes: [
        {
          ...axis,
          grid: { show: false },
          space: 64,
          values: (plot, ticks) => ticks.map(format.begin),
          incrs: [86400, 2 * 86400, 7 * 86400, 14 * 86400, 30 * 86400, 91 * 86400],
          ...(data.unit === "day" ? {} : { splits: (plot) => begins(data, plot.bbox.width / devicePixelRatio / 64) }),
        },
        ...shown.map((scale, number) => ({
          ...axis,
          scale,
          side: number ? 1 : 3,
          size: 54,
          grid: number ? { show: false } : axis.grid,
          incrs: scale === "count" ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 1e5, 1e6] : undefined,
          values: (plot, ticks) => ticks.map(format.axis[scale]),
        })),
      ],
      hooks: { drawClear: [shade(data, resolved("--sunken"), resolved("--line-strong"))] },
      series: [
        { label: data.head, value: (plot, value, series, number) => (number == null ? "–" : format.name(number)) },
        ...data.series.map((one) => {
          const stroke = resolved(`--chart-${one.colour}`);
          const bars = one.kind === "bars";
          return {
            label: one.label,
            scale: one.scale,
            stroke: bars ? "transparent" : stroke,
            width: bars ? 0 : 2,
            fill: bars ? resolved("--chart-bars") : undefined,
            paths: bars ? uPlot.paths.bars({ size: [0.7, data.unit === "day" ? 28 : 56], radius: 0.15 }) : undefined,
            points: { show: !bars && data.times.length < 10, size: 6 },
            spanGaps: false,
            value: (plot, value) => (value == null ? "–" : format[one.scale](value)),
          };
        }),
      ],
    };
  };

  // The place has its height from the page, whatever is drawn in it: the plot takes what the legend leaves.
  const fit = (place, plot) => {
    const height = Math.max(180, place.clientHeight - place.querySelector(".u-legend").offsetHeight);
    if (plot.width !== place.clientWidth || plot.height !== height) plot.setSize({ width: place.clientWidth, height });
  };

  const draw = (place) => {
    drawn.get(place)?.destroy();
    const data = JSON.parse(place.dataset.chart);
    data.head = place.dataset.head;
    data.cutWord = place.dataset.cut;
    if (!data.times.length) return;
    const plot = new uPlot(options(data, place.clientWidth), [data.times, ...data.series.map((one) => one.values)], place);
    // A colour in the legend is a shape too: bars are squares, lines are lines.
    place.querySelectorAll(".u-series").forEach((row, number) => {
      if (number) row.classList.add(data.series[number - 1].kind, `chart-${data.series[number - 1].colour}`);
    });
    drawn.set(place, plot);
    fit(place, plot);
  };

  const size = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const plot = drawn.get(target);
      if (plot) fit(target, plot);
    }
  });

  const drawAll = () => {
    for (const place of [...drawn.keys()]) {
      if (place.isConnected) continue;
      drawn.get(place).destroy();
      drawn.delete(place);
      size.unobserve(place);
    }
    for (const place of document.querySelectorAll("[data-chart]")) {
      if (drawn.has(place)) continue;
      draw(place);
      size.observe(place);
    }
  };

  drawAll();
  document.addEventListener("htmx:afterSettle", drawAll);
  const again = () => [...drawn.keys()].forEach(draw);
  document.addEventListener("themechange", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
})();
