// What the page asks its server: images by /v1/enhance, parts and boxes by TensorFlow Serving's REST API.

const PAUSES = [400, 800, 1600]; // milliseconds before trying again when the server has too much to do

export class ServerError extends Error {}

export async function readSettings() {
  return (await send("/page/settings.json", {})).json();
}

export async function describe(model) {
  const { metadata, model_spec } = await (await send(`/v1/models/${encodeURIComponent(model)}/metadata`, {})).json();
  return { model, signatures: Object.keys(metadata.signature_def.signature_def), version: model_spec.version };
}

// The image, and α where the model says it.
export async function enhance(blob, wishes, signal) {
  const answer = await post(`/v1/enhance?${new URLSearchParams(wishes)}`, blob, signal);
  return { image: await answer.blob(), alpha: Number(answer.headers.get("X-Kind-Alpha")) || null };
}

// The images by the names of the signature's inputs.
export async function predict(model, signature, images, signal) {
  const row = {};
  for (const [name, blob] of Object.entries(images)) row[name] = { b64: await base64(blob) };
  const body = JSON.stringify({ signature_name: signature, instances: [row] });
  return (await (await post(`/v1/models/${encodeURIComponent(model)}:predict`, body, signal)).json()).predictions[0];
}

// Bytes come as {"b64": …}; a signature with one output gives it without a name.
export function imageOf(value, name) {
  const encoded = value[name] ?? value;
  const bytes = Uint8Array.from(atob(encoded.b64), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: "image/png" });
}

async function post(url, body, signal) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await send(url, { method: "POST", body, signal });
    } catch (error) {
      if (error.status !== 503 || attempt >= PAUSES.length) throw error;
    }
    await pause(PAUSES[attempt], signal);
  }
}

async function send(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server cannot be reached. Is it still running?");
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  const error = new ServerError(answer.error ?? `The server answered ${response.status}.`);
  error.status = response.status;
  throw error;
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
