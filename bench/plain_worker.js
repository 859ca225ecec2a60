// A market as one script, the obvious way: what chartgen's Worker is measured against. Lists and
// details are objects that are written as JSON for each request, packages and icons are base64.
import market from "./market.js";

const JSON_TYPE = { "Content-Type": "application/json" };

function bytes(text) {
  const decoded = atob(text);
  const data = new Uint8Array(decoded.length);
  for (let index = 0; index < decoded.length; index++) data[index] = decoded.charCodeAt(index);
  return data;
}

function json(value) {
  return new Response(JSON.stringify(value), { headers: JSON_TYPE });
}

async function details(request) {
  const { app_ids: ids } = await request.json();
  const apps = {};
  const unknown = [];
  for (const id of ids) {
    if (Object.hasOwn(market.details, id)) apps[id] = market.details[id];
    else unknown.push(id);
  }
  return json({ apps, not_found: unknown, version: market.version });
}

export default {
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/api/v1/appstore/hash") return json(market.hash);
    if (url.pathname === "/api/v1/appstore/info") return json(market.info);
    if (url.pathname === "/api/v1/applications/info") return details(request);
    const isChart = /^\/api\/v1\/applications\/[^/]+\/chart$/.test(url.pathname);
    const key = isChart ? url.searchParams.get("fileName") : url.pathname;
    const type = isChart ? "application/gzip" : "image/png";
    if (Object.hasOwn(market.files, key)) {
      return new Response(bytes(market.files[key]), { headers: { "Content-Type": type } });
    }
    return new Response("not found", { status: 404 });
  },
};
