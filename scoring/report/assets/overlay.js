"use strict";
/* Attribution over a frame, pixel by pixel on a canvas of 64 x 64. */

Report.POSITIVE = [213, 94, 0];
Report.NEGATIVE = [0, 114, 178];
/* Of Okabe and Ito's palette, and two that keep apart from it; features also carry their number. */
Report.FEATURES = [
  [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [204, 121, 167], [213, 94, 0], [0, 114, 178],
  [148, 103, 220],
];
Report.RESIDUAL = [153, 153, 153];
const SPARSE = 0.4; /* opacity of every other pixel where attribution is negative: a dotted pattern */

Report.featureColour = (index, count) => (index < count ? Report.FEATURES[index % 8] : Report.RESIDUAL);
Report.css = (rgb) => "rgb(" + rgb.join(",") + ")";

/* Indices of the features that count: the isolated one, or all, with the residual (the last) where it is asked for. */
Report.counted = function (features, isolated, residual) {
  if (isolated) {
    return [isolated - 1];
  }
  return Array.from({ length: features + (residual ? 1 : 0) }, (_, index) => index);
};

/* RGBA of a frame with attribution over it. `shown`: "both", "positive" or "negative"; `by`: "sign" or "feature". */
Report.blend = function (rgb, explained, frame, geometry, options) {
  const pixels = new Uint8ClampedArray(64 * 64 * 4);
  const { size, cells, features } = geometry;
  const area = size * size;
  const base = frame * (features + 1) * area;
  const chosen = Report.counted(features, options.isolated, options.residual);
  for (let y = 0; y < 64; y++) {
    for (let x = 0; x < 64; x++) {
      const at = y * 64 + x;
      const source = options.rgbFrame * 12288 + at * 3;
      const red = rgb[source];
      const green = rgb[source + 1];
      const blue = rgb[source + 2];
      const target = at * 4;
      pixels[target + 3] = 255;
      if (!options.overlay) {
        pixels[target] = red;
        pixels[target + 1] = green;
        pixels[target + 2] = blue;
        continue;
      }
      const grey = 0.75 * (0.299 * red + 0.587 * green + 0.114 * blue);
      let positive = 0;
      let negative = 0;
      const mixed = [0, 0, 0];
      if (cells[y] >= 0 && cells[x] >= 0) {
        for (const k of chosen) {
          const value = explained.maps[base + k * area + cells[y] * size + cells[x]]
            * explained.steps[frame * (features + 1) + k];
          const counts = options.shown === "both" || (value > 0) === (options.shown === "positive");
          if (!counts) {
            continue;
          }
          positive += Math.max(value, 0);
          negative += Math.max(-value, 0);
          const colour = Report.featureColour(k, features);
          for (let c = 0; c < 3; c++) {
            mixed[c] += Math.abs(value) * colour[c];
          }
        }
      }
      const net = positive - negative;
      const strength = options.by === "feature" ? positive + negative : Math.abs(net);
      let opacity = Math.min(strength / (options.scale || explained.scale), 1);
      if (net < 0 && (x + y) % 2 === 1) {
        opacity *= SPARSE;
      }
      for (let c = 0; c < 3; c++) {
        const sign = net > 0 ? Report.POSITIVE[c] : Report.NEGATIVE[c];
        const colour = options.by === "feature" ? mixed[c] / Math.max(positive + negative, 1e-12) : sign;
        pixels[target + c] = Math.round(grey * (1 - opacity) + colour * opacity);
      }
    }
  }
  return pixels;
};

Report.paint = function (canvas, pixels) {
  canvas.getContext("2d").putImageData(new ImageData(pixels, 64, 64), 0, 0);
};

/* A frame's own pixels, with some of them changed: `places` (0 to 4095) and their `colours`. */
Report.changed = function (rgb, frame, places, colours) {
  const pixels = new Uint8ClampedArray(64 * 64 * 4).fill(255);
  for (let at = 0; at < 4096; at++) {
    for (let c = 0; c < 3; c++) {
      pixels[at * 4 + c] = rgb[frame * 12288 + at * 3 + c];
    }
  }
  places.forEach((at, index) => {
    for (let c = 0; c < 3; c++) {
      pixels[at * 4 + c] = colours[index * 3 + c];
    }
  });
  return pixels;
};
