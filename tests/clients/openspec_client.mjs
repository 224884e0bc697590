// The client of the VS Code extension "openspec": how it starts the agent, and what it does with what comes.

import { execFile, spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Transport } from "./openspec_transport.mjs";
import { tap } from "./report.mjs";

const INITIALIZE = {
  protocolVersion: 1,
  clientCapabilities: { fs: { readTextFile: true, writeTextFile: true }, terminal: true },
  clientInfo: { name: "openspec-vscode", version: "2.0.0" },
};
// Milliseconds, as in the extension; a flow that waits for one of them shortens it.
const TIMES = { start: 500, initialize: 5000, again: 250, ready: 120_000, session: 120_000, change: 30_000, reconnect: 5000 };

export class Client {
  #connecting = null;
  #ended = [];

  // `setup.command` starts the agent; `setup.choose` is the kind of the button that the person presses, or nothing.
  constructor(setup) {
    this.setup = setup;
    this.times = { ...TIMES, ...setup.times };
    this.process = null;
    this.shown = [];
    this.asked = [];
    this.buffers = setup.buffers ?? {};
    this.unexpected = [];
    this.stderr = "";
  }

  // Activation and the view that opens may both call this; they share the process and each makes it ready.
  async connect() {
    this.#connecting ??= this.#start();
    await this.#connecting;
    await this.#ready();
  }

  async #start() {
    for (let attempt = 0; ; attempt++) {
      this.port = await freePort(this.port ?? 4090);
      try {
        return await this.#spawn();
      } catch (error) {
        if (attempt === 4) throw error;
        await pause(1000 * 2 ** attempt);
      }
    }
  }

  async #spawn() {
    const [program, ...first] = this.setup.command;
    const args = [...first, "acp", "--port", String(this.port), "--hostname", "127.0.0.1"];
    const env = await environment();
    const options = { cwd: this.setup.cwd, stdio: ["pipe", "pipe", "pipe"], shell: false, env, windowsHide: true };
    const child = spawn(program, args, options);
    this.process = child;
    this.configured = env !== process.env;
    this.#ended.push(new Promise((resolve) => child.on("exit", (code, signal) => resolve({ code, signal }))));
    child.stderr.on("data", (data) => (this.stderr += data));
    this.tap = tap();
    this.transport = new Transport(
      child,
      { serve: (method, params) => this.#serve(method, params), note: (method, params) => this.#note(method, params) },
      this.tap,
    );
    await new Promise((resolve, reject) => child.on("spawn", resolve).on("error", reject));
    this.setup.spawned?.(child);
    await pause(this.times.start);
    if (child.exitCode !== null) throw new Error(`ACP process exited: ${this.stderr.split("\n").slice(-3).join("\n")}`);
    child.on("exit", () => this.#lost(child));
  }

  // `initialize` until it is answered, each time with a new id; its result is of no interest.
  async #ready() {
    const end = Date.now() + this.times.ready;
    for (;;) {
      try {
        return await this.transport.request("initialize", INITIALIZE, this.times.initialize);
      } catch (error) {
        if (Date.now() > end || this.process.exitCode !== null) throw error;
        await pause(this.times.again);
      }
    }
  }

  async #lost(child) {
    if (this.closing || this.process !== child) return;
    this.#connecting = pause(this.times.reconnect).then(() => this.#start());
    this.reconnected = this.connect();
  }

  // `models` is run to its end before each session, though only a hint to log in is looked for in what it says.
  async newSession() {
    const [program, ...first] = this.setup.command;
    const env = await environment();
    this.models = await new Promise((resolve) => {
      const options = { cwd: this.setup.cwd, env };
      execFile(program, [...first, "models"], options, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
    });
    if (/unauthorized/i.test(this.models.stderr)) throw new Error("not logged in");
    const response = await this.transport.request("session/new", { cwd: this.setup.cwd, mcpServers: [] }, this.times.session);
    this.session = response.sessionId;
    return this.#pickers(response);
  }

  async loadSession(sessionId) {
    const given = { sessionId, cwd: this.setup.cwd, mcpServers: [] };
    const response = await this.transport.request("session/load", given, this.times.session);
    this.session = sessionId;
    return this.#pickers(response);
  }

  #pickers(response) {
    const modes = response.modes?.availableModes.map(({ id }) => id);
    const models = response.models?.availableModels.map(({ modelId }) => modelId);
    this.mode = response.modes?.currentModeId;
    return { modes, mode: this.mode, models, model: response.models?.currentModelId };
  }

  async prompt(text) {
    const prompt = [{ type: "text", text }];
    const response = await this.transport.request("session/prompt", { sessionId: this.session, prompt });
    if (response.stopReason === "error") throw new Error("the agent failed");
    return response.stopReason;
  }

  cancel() {
    this.transport.notify("session/cancel", { sessionId: this.session });
  }

  async newChat() {
    this.cancel();
    this.shown.length = 0;
    await this.connect();
    return await this.newSession();
  }

  setMode(modeId) {
    return this.transport.request("session/set_mode", { sessionId: this.session, modeId }, this.times.change);
  }

  setModel(modelId) {
    return this.transport.request("session/set_model", { sessionId: this.session, modelId }, this.times.change);
  }

  // The end of the window: the pipes are closed. Gives how each process ended.
  async close() {
    this.closing = true;
    this.process.stdin.end();
    const late = setTimeout(() => this.process.kill("SIGKILL"), 5000);
    const ended = await Promise.all(this.#ended);
    clearTimeout(late);
    return ended;
  }

  #note(method, { update }) {
    if (method !== "session/update") return;
    const text = update.content?.type === "text" ? update.content.text : null;
    switch (update.sessionUpdate) {
      case "agent_message_chunk":
        if (text === null) return;
        if (this.shown.at(-1)?.kind === "text") this.shown.at(-1).text += text;
        else this.shown.push({ kind: "text", text });
        return;
      case "agent_thought_chunk":
        return void this.shown.push({ kind: "thought", text: text?.slice(0, 160) });
      case "tool_call":
        return void this.shown.push({ kind: "tool", text: `${update.title}: ${JSON.stringify(update.rawInput)}` });
      case "tool_call_update":
        return void this.shown.push({ kind: "tool", text: `${update.title ?? "unknown"}: ${update.status}` });
      case "plan":
        return void this.shown.push({ kind: "plan", text: "Plan updated" });
      case "current_mode_update":
        this.mode = update.currentModeId;
    }
  }

  #serve(method, params) {
    switch (method) {
      case "session/request_permission":
        return this.#permit(params);
      case "fs/read_text_file":
        return this.#read(params);
      case "fs/write_text_file":
        return this.#write(params);
    }
    this.unexpected.push(method);
    throw Object.assign(new Error("Method not found"), { code: -32601 });
  }

  // A dialog with a button for each kind: of two options of a kind the last one counts. `allow_always` is remembered
  // for the tool, and then answered by its fixed id.
  async #permit({ toolCall, options }) {
    this.asked.push({ title: toolCall.title, options });
    if (this.always?.includes(toolCall.title)) return selected("allow_once");
    const buttons = new Map(options.map((option) => [option.kind, option.optionId]));
    const kind = await this.setup.choose?.();
    if (kind === "allow_always") (this.always ??= []).push(toolCall.title);
    return buttons.has(kind) ? selected(buttons.get(kind)) : { outcome: { outcome: "cancelled" } };
  }

  async #read({ path, line, limit }) {
    const content = this.buffers[path] ?? (await readFile(path, "utf8"));
    if (line === undefined && limit === undefined) return { content };
    const lines = content.split("\n"); // `line` is taken as an index, which is wrong by one
    return { content: lines.slice(line ?? 0, (line ?? 0) + (limit ?? lines.length)).join("\n") };
  }

  async #write({ path, content }) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    if (path in this.buffers) this.buffers[path] = content;
    return {};
  }
}

const selected = (optionId) => ({ outcome: { outcome: "selected", optionId } });

// The first port that nothing listens on. It is handed over and never connected to.
async function freePort(first) {
  for (let port = first; port < 5000; port++) {
    if (!(await listens(port))) return port;
  }
  throw new Error("no port is free");
}

export function listens(port) {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    socket.on("connect", () => (socket.destroy(), resolve(true)));
    socket.on("error", () => resolve(false));
  });
}

// The environment with the person's configuration file as text, unless there is a configuration in it already.
async function environment() {
  const given = Object.keys(process.env).some((name) => name.startsWith("OPENCODE_CONFIG"));
  if (given) return process.env;
  const file = join(process.env.HOME, ".config", "opencode", "opencode.json");
  const content = await readFile(file, "utf8").catch(() => null);
  if (content === null) return process.env;
  return { ...process.env, OPENCODE_CONFIG_CONTENT: JSON.stringify(JSON.parse(content)) };
}
