"use strict";
/* The exact masks as outlines with the class's name, on a canvas of 512 x 512 above the frame. */

const UNIT = 8;

/* A kind of the game's table, as meta holds it. */
Report.kind = (name) => Report.meta.kinds.find((kind) => kind.name === name);
/* A kind's words after "the" or "every". */
Report.bare = (name) => Report.kind(name).words.replace(/^the /, "");

/* Edges of the pixels for which `inside(index)` holds, as pairs of corners in canvas units. */
function edges(inside) {
  const lines = [];
  for (let y = 0; y < 64; y++) {
    for (let x = 0; x < 64; x++) {
      if (!inside(y * 64 + x)) {
        continue;
      }
      if (y === 0 || !inside((y - 1) * 64 + x)) lines.push([x, y, x + 1, y]);
      if (y === 63 || !inside((y + 1) * 64 + x)) lines.push([x, y + 1, x + 1, y + 1]);
      if (x === 0 || !inside(y * 64 + x - 1)) lines.push([x, y, x, y + 1]);
      if (x === 63 || !inside(y * 64 + x + 1)) lines.push([x + 1, y, x + 1, y + 1]);
    }
  }
  return lines;
}

function stroke(context, lines, colour, dash, width) {
  context.setLineDash(dash);
  for (const [style, thick] of [["rgba(0,0,0,0.55)", width + 2], [colour, width]]) {
    context.strokeStyle = style;
    context.lineWidth = thick;
    context.beginPath();
    for (const [x0, y0, x1, y1] of lines) {
      context.moveTo(x0 * UNIT, y0 * UNIT);
      context.lineTo(x1 * UNIT, y1 * UNIT);
    }
    context.stroke();
  }
}

function caption(context, text, x, y, colour, taken) {
  context.setLineDash([]);
  context.font = "600 17px system-ui, sans-serif";
  const width = context.measureText(text).width + 8;
  const left = Math.min(Math.max(x, 0), 512 - width);
  let top = Math.min(Math.max(y - 21, 0), 490);
  while (taken.some((box) => Math.abs(box.top - top) < 21 && left < box.left + box.width && box.left < left + width)) {
    top += 21;
    if (top > 490) {
      return;
    }
  }
  taken.push({ left, top, width });
  context.fillStyle = "rgba(0,0,0,0.72)";
  context.fillRect(left, top, width, 21);
  context.fillStyle = colour;
  context.fillText(text, left + 4, top + 16);
}

/* Outline every item of a frame; `chosen` (from 1) is drawn thicker. Names stand once for each class. */
Report.outline = function (canvas, labels, frame, kinds, chosen) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, 512, 512);
  const label = (at) => labels[frame * 4096 + at];
  const taken = [];
  const named = new Set();
  const part = Report.meta.part && Report.kind(Report.meta.part);
  const onPart = part ? edges((at) => label(at) >= 128) : [];
  if (onPart.length) {
    stroke(context, onPart, part.colour, part.dash, 1);
  }
  const order = kinds.map((kind, index) => index).sort((a, b) => rank(kinds[a]) - rank(kinds[b]));
  for (const index of order) {
    const lines = edges((at) => (label(at) & 127) === index + 1);
    if (lines.length) {
      const { colour, dash } = Report.kind(kinds[index]);
      stroke(context, lines, colour, dash, index + 1 === chosen ? 5 : 2);
    }
  }
  for (const index of order.reverse()) {
    const kind = kinds[index];
    const lines = edges((at) => (label(at) & 127) === index + 1);
    if (lines.length && !named.has(kind)) {
      named.add(kind);
      const [x, y] = lines[0];
      const { words, colour, inside } = Report.kind(kind);
      caption(context, words, x * UNIT, y * UNIT + (inside ? 21 : 0), colour, taken);
    }
  }
  if (onPart.length) {
    const [x, y] = onPart[0];
    caption(context, part.words, x * UNIT + 60, y * UNIT + 21, part.colour, taken);
  }
};

/* Outline where a kind is that is not drawn by itself, such as a part of walls; nothing for any other. */
Report.outlineRegion = function (canvas, clip, frame, name) {
  const bits = clip["region-" + name];
  const lines = bits ? edges((at) => (bits[frame * 512 + (at >> 3)] >> (7 - (at & 7))) & 1) : [];
  if (lines.length) {
    const context = canvas.getContext("2d");
    const { words, colour } = Report.kind(name);
    stroke(context, lines, colour, [], 4);
    caption(context, words, lines[0][0] * UNIT, lines[0][1] * UNIT, colour, []);
  }
};

/* Areas are drawn first and objects over them; of either, the kinds that the table names first come last. */
function rank(name) {
  const { kinds } = Report.meta;
  const index = kinds.findIndex((kind) => kind.name === name);
  return kinds.length - index - (kinds[index].together ? kinds.length : 0);
}
