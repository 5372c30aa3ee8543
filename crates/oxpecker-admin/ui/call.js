// Calls of the API. What goes wrong becomes a sentence for people.

const PREFIX = "/api/v1";
const PATIENCE_MS = 20000;

export async function call(method, path, body) {
  let answer;
  try {
    answer = await fetch(PREFIX + path, {
      method,
      // A form of another site could not set it.
      headers: { "X-Oxpecker-Request": "1", ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new Error("The gateway does not answer. It may be restarting; nothing is known to have changed.");
  }
  const text = await answer.text();
  if (answer.ok) return text ? parse(text) : null;
  throw new Error(refusal(answer.status, parse(text)));
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function refusal(status, said) {
  if (said?.error) return `Refused: ${said.error}.${said.help ? ` ${said.help}` : ""}`.replace("..", ".");
  if (status === 401) return "Refused: you are not signed in any more. Load the page again.";
  if (status === 403) return "Refused: your role does not allow this.";
  return `Refused: the gateway answered with status ${status}.`;
}
