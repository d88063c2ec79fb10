"use strict";
/* A card for each feature of the agent that is looked at. */

Report.Cards = class {
  constructor() {
    this.place = document.getElementById("cards");
    this.drawn = null;
  }

  /* `clip` and `explained` are the examples' and the agent's value attribution of them. */
  draw(number, clip, explained) {
    if (this.drawn !== number) {
      this.drawn = number;
      const agent = Report.meta.agents[number];
      document.getElementById("cards-of").textContent = agent.name;
      this.cards = agent.features.map((feature, index) => this.card(number, agent, feature, index, clip, explained));
      this.place.replaceChildren(...this.cards);
    }
    const isolated = Report.isolated(number);
    this.cards.forEach((card, index) => card.classList.toggle("faded", Boolean(isolated) && isolated !== index + 1));
  }

  card(number, agent, feature, index, clip, explained) {
    const { make } = Report;
    const show = (frame) => Report.show({ clip: "examples", frame, agent: number, feature: index + 1, target: "value" });
    const geometry = { ...agent.geometry, features: agent.features.length };
    const scale = ownScale(feature.top, index, geometry, explained);
    const thumbs = feature.top.map((frame) => {
      const canvas = make("canvas", { class: "pixels", width: 64, height: 64 });
      Report.paint(canvas, Report.blend(clip.frames, explained, frame, geometry,
        { rgbFrame: frame, shown: "both", by: "sign", overlay: 1, residual: 0, isolated: index + 1, scale }));
      return make("button", { type: "button", class: "thumb", "data-frame": frame, title: "frame " + frame + ": show it above", onclick: () => show(frame) }, canvas);
    });
    const facts = feature.facts.map(([term, value, anchor]) =>
      make("div", {}, make("dt", {}, make("a", { href: "#" + anchor }, term)), make("dd", {}, value)));
    const colour = Report.css(Report.featureColour(index, agent.features.length));
    return make("article", {
      class: "card" + (feature.interpretable ? " interpretable" : ""), "data-feature": index + 1,
    },
    make("header", { onmouseenter: () => Report.hover(number, index + 1), onmouseleave: () => Report.hover() },
      make("span", { class: "swatch", style: "background:" + colour }, String(index + 1)),
      make("h3", {}, feature.title), make("span", { class: "share" }, feature.shareText + " of attribution")),
    make("dl", {}, ...facts),
    make("div", { class: "twins" },
      make("div", {}, make("h4", {}, "Where it attributes most"), make("div", { class: "thumbs" }, ...thumbs)),
      make("div", {}, make("h4", {}, "What it fires on, place by place"), this.grid(feature, clip, show))),
    make("div", { class: "twins" },
      make("div", {}, make("h4", {}, "Lift by class, bits (95 %)"), this.lifts(feature.lifts)),
      make("div", {}, make("h4", {}, "Cells, by activation and by attribution (log counts)"),
        this.histogram(feature.activation, "activation"), this.histogram(feature.attribution, "attribution"))));
  }

  /* Each block of the picture is the patch, at that place, of a frame in which the feature fires there. */
  grid(feature, clip, show) {
    const canvas = Report.make("canvas", { class: "pixels grid", width: 64, height: 64,
      title: "Each patch stands where its frame has it; fainter: weaker. Click for the frame." });
    const size = feature.grid.length;
    const side = 64 / size;
    const pixels = new Uint8ClampedArray(64 * 64 * 4).fill(255);
    const most = Math.max(...feature.gridActivation.flat(), 1e-9);
    for (let y = 0; y < 64; y++) {
      for (let x = 0; x < 64; x++) {
        const [row, column] = [Math.floor(y / side), Math.floor(x / side)];
        const frame = feature.grid[row][column];
        const opacity = frame < 0 ? 0 : Math.min(Math.max(feature.gridActivation[row][column] / most, 0) / 0.9, 1);
        const shade = (Math.floor(x / 4) + Math.floor(y / 4)) % 2 ? 255 : 232;
        for (let c = 0; c < 3; c++) {
          const own = frame < 0 ? shade : clip.frames[frame * 12288 + (y * 64 + x) * 3 + c];
          pixels[(y * 64 + x) * 4 + c] = Math.round(shade * (1 - opacity) + own * opacity);
        }
      }
    }
    Report.paint(canvas, pixels);
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const at = (value, start, length) => Math.min(Math.max(Math.floor(((value - start) / length) * size), 0), size - 1);
      const frame = feature.grid[at(event.clientY, box.top, box.height)][at(event.clientX, box.left, box.width)];
      if (frame >= 0) {
        show(frame);
      }
    });
    return canvas;
  }

  lifts(lifts) {
    const { make } = Report;
    const bounds = lifts.flatMap((lift) => [lift.low, lift.high, lift.value, 0]).filter((value) => value !== null);
    const low = Math.max(Math.min(...bounds), -6);
    const high = Math.min(Math.max(...bounds, 1), 8);
    const left = 16 + 5.5 * Math.max(...lifts.map((lift) => lift.class.length)); /* what the longest words need */
    const x = (value) => left + ((Math.min(Math.max(value, low), high) - low) / Math.max(high - low, 1e-9)) * 160;
    const rows = lifts.flatMap((lift, index) => {
      const y = 11 + 15 * index;
      const parts = [make("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, lift.class)];
      if (lift.value === null) {
        return parts;
      }
      if (lift.low !== null) {
        parts.push(make("line", { x1: x(lift.low), x2: x(lift.high), y1: y, y2: y, class: "interval" }));
      }
      parts.push(make("circle", { cx: x(lift.value), cy: y, r: 3.2 }),
        make("text", { x: left + 168, y: y + 4 }, Report.number(lift.value, 1, true)));
      return parts;
    });
    const height = 15 * lifts.length + 4;
    return make("svg", { class: "lifts", viewBox: "0 0 " + (left + 204) + " " + height, role: "img", "aria-label": "Lift by class" },
      make("line", { x1: x(0), x2: x(0), y1: 0, y2: height, class: "zero" }), ...rows);
  }

  histogram({ low, high, counts }, word) {
    const { make } = Report;
    const most = Math.log1p(Math.max(...counts));
    const width = 240 / counts.length;
    const bars = counts.map((count, index) => {
      const height = (Math.log1p(count) / most) * 34;
      const middle = low + ((index + 0.5) / counts.length) * (high - low);
      return make("rect", {
        x: index * width, y: 36 - height, width: width - 0.6, height, class: word === "activation" ? "plain" : middle < 0 ? "below" : "above",
      });
    });
    return make("svg", { class: "histogram", viewBox: "0 0 240 50", role: "img", "aria-label": "Histogram of " + word },
      ...bars, make("text", { x: 0, y: 48 }, Report.number(low)), make("text", { x: 120, y: 48, "text-anchor": "middle" }, word),
      make("text", { x: 240, y: 48, "text-anchor": "end" }, Report.number(high)));
  }
};

/* Opacity of a card's frames is full at the median of their strongest cells, so that weak features show as well. */
function ownScale(frames, index, { size, features }, explained) {
  const area = size * size;
  const strongest = frames.map((frame) => {
    const start = (frame * (features + 1) + index) * area;
    return explained.maps.subarray(start, start + area).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      * explained.steps[frame * (features + 1) + index];
  });
  return strongest.sort((a, b) => a - b)[Math.floor(strongest.length / 2)] || 1e-12;
}
