// Files that people bring: whether they are whole, smaller versions of them, and many in one ZIP.

import { ServerError } from "/page/server.js";

export async function readBitmap(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const kind = kindOf(bytes);
  if ((kind === "JPEG" && isCutJpeg(bytes)) || (kind === "PNG" && !new TextDecoder("latin1").decode(bytes).includes("IEND")))
    throw new ServerError(`${file.name} is damaged: the end of the ${kind} is missing.`);
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    if (kind) throw new ServerError(`${file.name} is damaged: the ${kind} cannot be decoded.`);
    throw new ServerError(`${file.name}: this browser cannot read it. JPEG and PNG always work.`);
  }
}

function kindOf(bytes) {
  const start = String.fromCharCode(...bytes.subarray(0, 12));
  const known = { "\xff\xd8\xff": "JPEG", "\x89PNG": "PNG", GIF8: "GIF", BM: "BMP", RIFF: "WebP" };
  return known[Object.keys(known).find((each) => start.startsWith(each))];
}

// The pixels of a JPEG follow its segments; FF D9 ends them, and cannot stand within them.
function isCutJpeg(bytes) {
  let place = 2;
  while (place + 4 <= bytes.length && bytes[place] === 0xff && bytes[place + 1] !== 0xda)
    place += bytes[place + 1] === 0xff ? 1 : 2 + 256 * bytes[place + 2] + bytes[place + 3];
  for (let end = bytes.indexOf(0xff, place + 2); end >= 0; end = bytes.indexOf(0xff, end + 1))
    if (bytes[end + 1] === 0xd9) return false;
  return true;
}

export async function reduced(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  return scaled(bitmap, Math.max(1, Math.floor(bitmap.width * scale)), Math.max(1, Math.floor(bitmap.height * scale)));
}

// A canvas turns whatever the browser can read into PNG, upright and in sRGB.
export async function scaled(bitmap, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { alpha: false });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

export async function sizeOf(blob) {
  const bitmap = await createImageBitmap(blob);
  const { width, height } = bitmap;
  bitmap.close();
  return { width, height };
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// A ZIP whose entries are stored as they are (images are packed already).
export async function zipped(entries) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, blob } of entries) {
    const path = new TextEncoder().encode(name);
    const check = crc32(new Uint8Array(await blob.arrayBuffer()));
    // Version 2.0, names in UTF-8, stored, no date, checksum, size twice, length of the name, nothing else.
    const common = numbers([20, 2], [0x800, 2], [0, 2], [0, 2], [0x21, 2], [check, 4], [blob.size, 4], [blob.size, 4],
      [path.length, 2], [0, 2]);
    parts.push(numbers([0x04034b50, 4]), common, path, blob);
    directory.push(numbers([0x02014b50, 4], [20, 2]), common, numbers([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), path);
    offset += 30 + path.length + blob.size;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = numbers([0x06054b50, 4], [0, 4], [entries.length, 2], [entries.length, 2], [size, 4], [offset, 4], [0, 2]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

function numbers(...pairs) {
  return Uint8Array.from(pairs.flatMap(([value, size]) => Array.from({ length: size }, (_, i) => value >>> (8 * i))));
}

const CRC = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let sum = -1;
  for (const byte of bytes) sum = CRC[(sum ^ byte) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
}
