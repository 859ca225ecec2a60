// The market's Worker: answers what a static file cannot, because a query, a body or the method
// decides. Everything else is a static asset, which Cloudflare serves without running this.
//
// It decides nothing of its own: chartgen/market/routes.py is the same in Python and says why, and
// tests hold both to equal bytes. It keeps to plain JavaScript, so that nothing has to be bundled.

// What chartgen/market/worker_data.py makes of a market. Texts are JSON that is ready to be sent:
// putting bytes together costs a tenth of parsing, and their UTF-8 takes half the memory of strings.
import market from "./data.js";
import texts from "./texts.bin";

const TEXTS = new Uint8Array(texts);
const ENCODER = new TextEncoder();
const CHART = /^\/api\/v[12]\/applications\/([^/]+)\/chart$/;
// Only such a name may become part of a path: neither a slash nor a percent sign gets through.
const PACKAGE = /^[a-z0-9-]+-[0-9.]+\.tgz$/;
const NUMBER = /^[0-9]{1,9}$/;
const READ = ["GET", "HEAD"];

// A Map knows nothing but what was put into it, so that `__proto__` is an id like any other.
const BASES = market.bases.map((base) => ({
  ...base,
  details: new Map(base.ids.map((id, position) => [id, position])),
}));

export default {
  async fetch(request, env) {
    try {
      return await answer(request, env);
    } catch {
      // An asset that cannot be read, a client that went away: never a page of HTML.
      return failure(503, "the market cannot answer just now; try again");
    }
  },
};

async function answer(request, env) {
  const url = new URL(request.url);
  for (const base of BASES) {
    if (url.pathname.startsWith(`${base.prefix}/`)) {
      const routed = route(base, url.pathname.slice(base.prefix.length), url, request, env);
      if (routed !== null) return routed;
    }
  }
  if (url.pathname.endsWith("/")) {
    const page = await asset(`${url.pathname}index.html`, url, request, env);
    if (page !== null) return refusal(request, READ) ?? page;
  }
  return failure(404, "nothing is here");
}

// Returns the answer of a route below a base; null where the path is none of its routes.
function route(base, path, url, request, env) {
  switch (path) {
    case "/api/v1/applications/info":
      return refusal(request, ["POST"]) ?? details(base, request);
    case "/api/v2/catalog":
      return refusal(request, READ) ?? catalog(base, url.searchParams);
    case "/api/v2/applications":
    case "/api/v2/browse/applications":
      return refusal(request, READ) ?? applications(base, url, request, env);
  }
  const chosen = CHART.exec(path);
  if (chosen === null) return null;
  return refusal(request, READ) ?? chart(base, chosen[1], url, request, env);
}

async function details(base, request) {
  const body = await readBody(request);
  if (body === null) return failure(413, `the body is larger than ${market.maxBodyBytes} bytes`);
  const ids = wantedIds(body);
  if (ids === null) return failure(400, 'the body is not {"app_ids": ["…"]}');
  const known = [];
  const unknown = [];
  for (const id of ids) {
    const position = base.details.get(id);
    if (position === undefined) unknown.push(id);
    else known.push(members(base.detailStarts, position, position + 1, known.length > 0));
  }
  const rest = `},"not_found":${JSON.stringify(unknown)},"version":${base.version}}`;
  return json(200, joined('{"apps":{', known, rest));
}

// Returns each wanted id once, in their order; null for a body that is not sound.
function wantedIds(body) {
  if (depth(body) > market.maxDepth) return null;
  let value;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  const ids = value?.app_ids;
  if (!Array.isArray(ids) || !ids.every((id) => typeof id === "string")) return null;
  return new Set(ids);
}

// Returns how deep the brackets of a JSON text nest. It is counted before anything is parsed.
function depth(text) {
  let now = 0;
  let deepest = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (quoted) {
      if (character === "\\") index++;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === "[" || character === "{") deepest = Math.max(deepest, ++now);
    else if (character === "]" || character === "}") now--;
  }
  return deepest;
}

// Returns the text of the body; null for one that is too large, of which no more is read. A length
// that is known to be small saves taking pieces, which is a quarter of what the answer costs.
async function readBody(request) {
  const length = request.headers.get("Content-Length");
  if (length !== null && Number(length) <= market.maxBodyBytes) return request.text();
  const chunks = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > market.maxBodyBytes) return null;
    chunks.push(chunk);
  }
  return new TextDecoder().decode(merged(chunks, size));
}

function catalog(base, query) {
  const source = JSON.stringify(query.get("source_id") || base.sourceId);
  return json(200, base.catalog.join(source));
}

async function applications(base, url, request, env) {
  const size = number(url.searchParams.get("size"));
  if (size === 0) return (await asset(url.pathname, url, request, env)) ?? missing();
  const page = number(url.searchParams.get("page")) || 1;
  const total = base.itemStarts.length - 1;
  const start = Math.min((page - 1) * size, total);
  const end = Math.min(page * size, total);
  const more = page * size < total;
  const items = start < end ? [members(base.itemStarts, start, end)] : [];
  return json(
    200,
    joined(
      `{"code":0,"data":{"has_more":${more},"items":[`,
      items,
      `],"max_last_modify_time":${base.newestMs},"page":${page},"page_size":${size},` +
        `"removed":${base.removed},"total":${total}},"msg":"success"}`,
    ),
  );
}

// Returns a number of a query; 0 for what is none, as if it were not there.
function number(text) {
  return text !== null && NUMBER.test(text) ? Number(text) : 0;
}

async function chart(base, name, url, request, env) {
  const wanted = `${name}-${url.searchParams.get("version") ?? ""}.tgz`;
  if (url.searchParams.get("fileName") !== wanted || !PACKAGE.test(wanted)) return missing();
  return (await asset(`${base.prefix}/charts/${wanted}`, url, request, env)) ?? missing();
}

function missing() {
  return failure(404, "there is no such chart");
}

// Returns a static file; null where there is none. A redirect is none: addresses are exact.
async function asset(path, url, request, env) {
  const method = request.method === "HEAD" ? "HEAD" : "GET";
  const how = { method, headers: request.headers, redirect: "manual" };
  const found = await env.ASSETS.fetch(new Request(`${url.origin}${path}`, how));
  if (found.status >= 500) throw new Error(`${path}: ${found.status}`);
  return found.ok || found.status === 304 ? found : null;
}

// Returns members of a list or object that lie one behind the other, each after a comma of its own.
function members(starts, first, end, comma = false) {
  return TEXTS.subarray(starts[first] + (comma ? 0 : 1), starts[end]);
}

function joined(head, middle, tail) {
  const parts = [ENCODER.encode(head), ...middle, ENCODER.encode(tail)];
  return merged(parts, parts.reduce((size, part) => size + part.length, 0));
}

function merged(parts, size) {
  const whole = new Uint8Array(size);
  let end = 0;
  for (const part of parts) {
    whole.set(part, end);
    end += part.length;
  }
  return whole;
}

// Returns the answer to a method that a route does not serve; null where it does.
function refusal(request, allowed) {
  if (allowed.includes(request.method)) return null;
  const headers = { Allow: [...allowed, "OPTIONS"].join(", ") };
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers });
  return failure(405, `this address takes ${allowed.join(" and ")}`, headers);
}

function failure(status, message, headers = {}) {
  return json(status, JSON.stringify({ error: message }), headers);
}

function json(status, body, headers = {}) {
  const common = { "Content-Type": "application/json", "Cache-Control": "no-store" };
  return new Response(body, { status, headers: { ...common, ...headers } });
}
