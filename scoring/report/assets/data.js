"use strict";
/* What the page knows. Every file under data/ calls Report.add; arrays are gzip in base64, unpacked when asked for. */

const Report = { contents: {}, pending: {} };

const KINDS = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, uint32: Uint32Array, float32: Float32Array };

Report.add = function (name, content) {
  Report.contents[name] = content;
};

Report.say = function (message) {
  const notice = document.getElementById("notice");
  if (notice && !notice.textContent.includes(message)) {
    notice.textContent += (notice.textContent ? " " : "") + message;
    notice.hidden = false;
  }
};

/* The content of data/NAME.js with its arrays unpacked; the file is read the first time. */
Report.load = function (name) {
  if (!Report.pending[name]) {
    Report.pending[name] = read(name).then(() => unpack(Report.contents[name]));
  }
  return Report.pending[name];
};

function read(name) {
  if (Report.contents[name]) {
    return Promise.resolve();
  }
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "data/" + name + ".js";
    script.onload = resolve;
    script.onerror = () => reject(new Error("The file data/" + name + ".js is missing from the report's folder."));
    document.head.append(script);
  });
}

async function unpack(content) {
  const result = {};
  await Promise.all(Object.entries(content).map(async ([key, value]) => {
    result[key] = value && value.gzip !== undefined ? await array(value) : value;
  }));
  return result;
}

async function array(packed) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This browser cannot unpack the report's data (it has no DecompressionStream).");
  }
  const text = atob(packed.gzip);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    bytes[at] = text.charCodeAt(at);
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new KINDS[packed.type](await new Response(stream).arrayBuffer());
}

/* An element with attributes, listeners (onclick) and children; text is always text, never markup. */
Report.make = function (tag, attributes, ...children) {
  const svg = ["svg", "path", "line", "rect", "circle", "text", "g"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

/* Digits after the point for numbers up to `most`. */
Report.digits = (most) => (most < 0.05 ? 4 : most < 0.5 ? 3 : 2);

Report.number = function (value, digits = 2, sign = false) {
  if (value === null || value === undefined || Number.isNaN(value)) {
    return "–";
  }
  const text = Math.abs(value).toFixed(digits);
  const zero = Number(text) === 0;
  return (value < 0 && !zero ? "−" : sign && !zero ? "+" : "") + text;
};
