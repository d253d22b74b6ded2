// The playground's own door: REST calls and one stream of what happens, as playground/README.md says.

export async function get(path) {
  return answer(await fetch(`/playground/${path}`));
}

export async function post(path, body) {
  return answer(
    await fetch(`/playground/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
}

async function answer(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    body = { error: `The playground answered ${response.status} without a word.` };
  }
  if (!response.ok && !body.errors) throw new Error(body.error ?? `The playground answered ${response.status}.`);
  return body;
}

// Keeps a stream open for one person until `close()`; tells when it is lost and when it is back.
export function stream(user, { event, lost, back }) {
  let socket = null;
  let closed = false;
  let waits = 250;
  const open = () => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    socket = new WebSocket(`${scheme}://${location.host}/playground/stream?user=${encodeURIComponent(user)}`);
    socket.onopen = () => { waits = 250; if (!closed) back(); };
    socket.onmessage = ({ data }) => { if (!closed) event(JSON.parse(data)); };
    socket.onclose = () => {
      if (closed) return;
      lost();
      setTimeout(() => { if (!closed) open(); }, waits);
      waits = Math.min(waits * 2, 4000);
    };
  };
  open();
  return { close() { closed = true; socket.close(); } };
}
