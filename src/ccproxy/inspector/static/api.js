// Talking to the inspector's server: JSON, and the feed of what happens now.

export class ApiError extends Error {
  constructor(status, message, hint) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

/** GETs JSON. Throws ApiError. */
export async function get(path, params = {}, signal = undefined) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  return ask(`/api/${path}${query.size ? `?${query}` : ""}`, { signal });
}

/** POSTs JSON. Throws ApiError. */
export function post(path, value) {
  return ask(`/api/${path}`, { method: "POST", body: JSON.stringify(value) });
}

async function ask(url, options) {
  let answer;
  try {
    answer = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "ccproxy does not answer", "is it running? `ccproxy status` says");
  }
  let value = {};
  try {
    value = await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
  }
  if (!answer.ok) throw new ApiError(answer.status, value.error ?? `status ${answer.status}`, value.hint ?? "");
  return value;
}

/** The feed. `listeners`: `resync()`, `changes(value)`, `state(word)` with `live`, `lost`, `out` (not logged in). */
export class Feed {
  constructor(listeners) {
    this.listeners = listeners;
    this.delay = 1000;
    this.connect();
  }

  connect() {
    const source = new EventSource("/api/live");
    source.addEventListener("open", () => {
      this.delay = 1000;
      this.listeners.state("live");
    });
    source.addEventListener("resync", () => this.listeners.resync());
    source.addEventListener("changes", (event) => this.listeners.changes(JSON.parse(event.data)));
    source.addEventListener("error", async () => {
      source.close();
      this.listeners.state("lost");
      try {
        await get("state");
      } catch (error) {
        if (error.status === 401) {
          this.listeners.state("out");
          return;
        }
      }
      setTimeout(() => this.connect(), this.delay);
      this.delay = Math.min(this.delay * 2, 15000);
    });
  }
}
