// What the page asks its server: TensorFlow Serving's REST API.

const PAUSES = [400, 800, 1600]; // milliseconds before trying again when the server has too much to do

export class ServerError extends Error {}

export async function describe() {
  const settings = await getJson("/page/settings.json");
  const model = settings.models[0];
  const metadata = await getJson(`/v1/models/${encodeURIComponent(model)}/metadata`);
  const signatures = Object.keys(metadata.metadata.signature_def.signature_def);
  return { model, signatures, maxPixels: settings.max_pixels, version: metadata.model_spec.version };
}

export async function predict(model, signature, blob, more, signal) {
  const row = { image_bytes: { b64: await base64(blob) }, ...more };
  const body = JSON.stringify({ signature_name: signature, instances: [row] });
  const url = `/v1/models/${encodeURIComponent(model)}:predict`;
  for (let attempt = 0; ; attempt++) {
    const response = await send(url, { method: "POST", body, signal });
    if (response.status !== 503 || attempt >= PAUSES.length) return (await content(response)).predictions[0];
    await pause(PAUSES[attempt], signal);
  }
}

// Bytes come as {"b64": …}; a signature with one output gives it without a name.
export function imageOf(value, name) {
  const encoded = value[name] ?? value;
  const bytes = Uint8Array.from(atob(encoded.b64), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: "image/png" });
}

async function getJson(url) {
  return content(await send(url, {}));
}

async function send(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server cannot be reached. Is it still running?");
  }
}

async function content(response) {
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new ServerError(answer.error ?? `The server answered ${response.status}.`);
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("given up", "AbortError"));
    });
  });
}
