// Changes: each is asked about first, in words, and a refusal is shown where one clicked.

import { call } from "./call.js";
import { focusNear } from "./focus.js";
import { pause } from "./live.js";

const members = (data) => `/pools/${encodeURIComponent(data.pool)}/members/${encodeURIComponent(data.member)}`;
const some = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;

const shortened = (text) => text.length > 300 ? `${text.slice(0, 299)}…` : text;

let selectedRows = () => [];
let afterReset = () => {};

export function onReset(rows, after) {
  [selectedRows, afterReset] = [rows, after];
}

// What is left at a member, in words.
async function left(data) {
  const drain = await call("GET", `${members(data)}/drain`);
  return `Now at this member: ${some(drain.connections, "open connection")}, ${some(drain.sessions, "session")}, ${some(drain.operations, "operation")} whose results are not all fetched.`;
}

// Where new clients would go.
function others(data) {
  const count = Number(data.others);
  return count > 0
    ? { text: `New clients go to the ${count === 1 ? "one other usable member" : `${count} other usable members`} of ${data.pool}.` }
    : { text: `No other member of ${data.pool} is usable: its new clients will be refused.`, warning: true };
}

const state = (admin_state) => async (data, form) => {
  await call("PATCH", members(data), { admin_state, comment: form.comment || undefined });
};

const COMMENT = { name: "comment", label: "Why, for whoever asks later (optional)", type: "text", value: "" };

// title, what it means, what is asked for, the button's word, what is done, what is said after.
const ACTIONS = {
  drain: (d) => ({
    title: `Drain ${d.member} in ${d.pool}?`,
    lines: [others(d), { text: "Clients that persistence keeps here still come; what is open goes on until it ends." }],
    more: () => left(d),
    fields: [COMMENT],
    button: "Drain",
    run: state("draining"),
    said: `${d.member} in ${d.pool} is draining.`,
  }),
  disable: (d) => ({
    title: `Disable ${d.member} in ${d.pool}?`,
    lines: [others(d), { text: "No new client comes here, not even one that persistence kept here; what is open goes on." }],
    more: () => left(d),
    fields: [COMMENT],
    button: "Disable",
    run: state("disabled"),
    said: `${d.member} in ${d.pool} is disabled.`,
  }),
  enable: (d) => ({
    title: `Enable ${d.member} in ${d.pool}?`,
    lines: [{ text: "It takes new clients again as soon as it is up." }],
    fields: [COMMENT],
    button: "Enable",
    run: state("enabled"),
    said: `${d.member} in ${d.pool} is enabled.`,
  }),
  weight: (d) => ({
    title: `Weight of ${d.member} in ${d.pool}`,
    lines: [{ text: "Its share of new clients, beside the weights of the pool's other members. 0: no new clients, as draining." }],
    fields: [{ name: "weight", label: `Weight, 0 to 256 (now ${d.weight})`, type: "number", value: d.weight, min: 0, max: 256, required: true }, COMMENT],
    button: "Change",
    run: (data, form) => call("PATCH", members(data), { weight: Number(form.weight), comment: form.comment || undefined }),
    said: `The weight of ${d.member} in ${d.pool} is changed.`,
  }),
  "kill-connection": (d) => ({
    title: `End the connection ${d.name}?`,
    lines: [{ text: "Both sides are closed at once. An operation that runs on it may fail; a session may live on." }],
    button: "End it",
    run: () => call("DELETE", `/connections/${d.id}`),
    said: `The connection ${d.name} was ended.`,
  }),
  "kill-session": (d) => ({
    title: `End the session ${d.name}?`,
    lines: [{ text: d.about }, { text: "The coordinator closes it with all its operations." }],
    button: "End it",
    run: () => call("DELETE", `/sessions/${encodeURIComponent(d.id)}`),
    said: `The session ${d.name} was ended.`,
  }),
  "kill-operation": (d) => ({
    title: `End the operation ${d.name}?`,
    lines: [{ text: shortened(d.about) }, { text: "The statement is cancelled at its coordinator; the client gets an error." }],
    button: "End it",
    run: () => call("DELETE", `/operations/${encodeURIComponent(d.id)}`),
    said: `The operation ${d.name} was cancelled.`,
  }),
  forget: (d) => ({
    title: `Forget where ${d.client} goes?`,
    lines: [{ text: `The next connection of this client to ${d.virtual} is placed anew. Open ones stay.` }],
    button: "Forget",
    run: () => call("DELETE", `/persistence?virtual=${encodeURIComponent(d.virtual)}&client=${encodeURIComponent(d.client)}`),
    said: `It is forgotten where ${d.client} goes.`,
  }),
  reset: () => {
    const keys = selectedRows();
    return {
      title: `Reset the statistics of ${some(keys.length, "row")}?`,
      lines: [{ text: keys.slice(0, 8).join(", ") + (keys.length > 8 ? " and others" : "") }, { text: "Bits, packets and connections count from zero; the current ones stay. Metrics of /metrics do not fall." }],
      button: "Reset",
      run: async () => {
        await call("POST", "/statistics/reset", { keys });
        afterReset();
      },
      said: `The statistics of ${some(keys.length, "row")} count from zero.`,
    };
  },
  save: () => ({
    title: "Save the changes made at run time?",
    lines: [{ text: "They are written to the state file, which is read over the configuration at each start." }],
    button: "Save",
    run: () => call("POST", "/save"),
    said: "The changes are saved.",
  }),
  reload: () => ({
    title: "Reload the configuration files?",
    lines: [{ text: "All or nothing: with any error the running configuration stays. Open connections go on." }],
    button: "Reload",
    run: () => call("POST", "/reload"),
    said: "The configuration was reloaded.",
  }),
};

export function startActions() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-act]");
    const action = button && ACTIONS[button.dataset.act];
    if (action) ask(action({ ...button.dataset }), { ...button.dataset }, button);
  });
}

const element = (name, properties = {}, children = []) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

function ask(action, data, opener) {
  const dialog = document.getElementById("ask");
  const refused = element("p", { className: "refused", hidden: true });
  refused.setAttribute("role", "alert");
  const more = element("p");
  const confirm = element("button", { type: "submit", textContent: action.button });
  const cancel = element("button", { type: "button", textContent: "Go back", onclick: () => dialog.close() });
  const fields = (action.fields ?? []).map(({ label, ...input }) =>
    element("label", { textContent: label }, [element("input", { autocomplete: "off", ...input })]));
  const lines = action.lines.map(({ text, warning }) =>
    element("p", { textContent: text, className: warning ? "warning" : "" }));
  const form = element("form", { method: "dialog" }, [
    element("h2", { id: "ask-title", textContent: action.title }),
    ...lines, more, ...fields, refused,
    element("div", { className: "choices" }, [cancel, confirm]),
  ]);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    confirm.disabled = true;
    refused.hidden = true;
    try {
      await action.run(data, Object.fromEntries(new FormData(form)));
      dialog.close();
      say(action.said);
    } catch (error) {
      refused.textContent = error.message;
      refused.hidden = false;
    }
    confirm.disabled = false;
  });
  dialog.onclose = () => {
    pause(false);
    if (opener.isConnected && !opener.disabled) opener.focus();
    else focusNear(opener);
  };
  dialog.replaceChildren(form);
  pause(true);
  dialog.showModal();
  const first = form.querySelector("input");
  (first ?? confirm).focus();
  // Typing replaces the value that is there.
  first?.select();
  action.more?.().then((text) => { more.textContent = text; }, (error) => { more.textContent = error.message; });
}

let silence = 0;

function say(text) {
  const said = document.getElementById("said");
  said.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { said.textContent = ""; }, 8000);
}
