// The official TypeScript SDK as a client of a real agent process, and its stable schemas as a judge of every message.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { Readable, Writable } from "node:stream";
import { client, methods, ndJsonStream, PROTOCOL_VERSION, RequestError } from "@agentclientprotocol/sdk";
// The package exports no schemas, and its client parses only what comes unasked; so they are taken from inside.
import * as schemas from "./node_modules/@agentclientprotocol/sdk/dist/v1/schema/zod.gen.js";
import { tap, wires } from "./report.mjs";

const ALL = { fs: { readTextFile: true, writeTextFile: true }, terminal: false };

// Start the agent, initialize, let `work({agent, person, wire, until})` play, close stdin, and wait for the end.
export async function connected(setup, work) {
  const child = spawn(setup.command[0], [...setup.command.slice(1), "acp"], { cwd: setup.cwd });
  const ended = once(child, "exit");
  let stderr = "";
  child.stderr.on("data", (data) => (stderr += data));
  const { wire, heard, until } = tap();
  const output = through(heard("client"));
  output.readable.pipeTo(Writable.toWeb(child.stdin)).catch(() => {});
  const input = Readable.toWeb(child.stdout).pipeThrough(through(heard("agent")));
  const person = new Person(setup);
  const app = person.app();
  const result = await app.connectWith(ndJsonStream(output.writable, input), async (agent) => {
    const initialized = await agent.request(methods.agent.initialize, {
      protocolVersion: PROTOCOL_VERSION,
      clientCapabilities: setup.capabilities ?? ALL,
      clientInfo: { name: setup.name ?? "typescript-sdk", version: "2.4.0" },
    });
    return await work({ agent, person, initialized, wire, until });
  });
  child.stdin.end();
  const late = setTimeout(() => child.kill("SIGKILL"), 5000);
  const [code] = await ended;
  clearTimeout(late);
  if (code !== 0) throw new Error(`the agent ended with ${code}: ${stderr}`);
  if (stderr) throw new Error(`the agent wrote to stderr: ${stderr}`);
  return result;
}

function through(heard) {
  return new TransformStream({
    transform(bytes, controller) {
      heard(bytes);
      controller.enqueue(bytes);
    },
  });
}

// The client's side. `setup.answer` is the id of an option, `cancelled`, `wait` (until the agent takes its question back),
// or `hold` (until the client itself gives up); `setup.buffers` are the editor's unsaved files by path.
class Person {
  constructor(setup) {
    this.answer = setup.answer;
    this.buffers = setup.buffers ?? {};
    this.updates = [];
    this.asked = [];
    this.takenBack = 0;
    this.givenUp = Promise.withResolvers();
  }

  app() {
    return client({ name: "typescript-sdk" })
      .onNotification(methods.client.session.update, ({ params }) => void this.updates.push(params))
      .onRequest(methods.client.session.requestPermission, ({ params, signal }) => this.permit(params, signal))
      .onRequest(methods.client.fs.readTextFile, ({ params }) => this.read(params))
      .onRequest(methods.client.fs.writeTextFile, ({ params }) => this.write(params));
  }

  async permit(params, signal) {
    this.asked.push(params);
    if (this.answer === "wait") {
      if (!signal.aborted) await once(signal, "abort");
      this.takenBack += 1;
    }
    if (this.answer === "hold") await this.givenUp.promise;
    const chosen = params.options.find((option) => option.optionId === this.answer);
    return { outcome: chosen ? { outcome: "selected", optionId: chosen.optionId } : { outcome: "cancelled" } };
  }

  read({ path }) {
    if (!(path in this.buffers)) throw RequestError.resourceNotFound(path);
    return { content: this.buffers[path] };
  }

  write({ path, content }) {
    this.buffers[path] = content;
    return {};
  }
}

const RESPONSES = {
  initialize: "zInitializeResponse",
  authenticate: "zAuthenticateResponse",
  logout: "zLogoutResponse",
  "session/new": "zNewSessionResponse",
  "session/load": "zLoadSessionResponse",
  "session/resume": "zResumeSessionResponse",
  "session/list": "zListSessionsResponse",
  "session/delete": "zDeleteSessionResponse",
  "session/close": "zCloseSessionResponse",
  "session/prompt": "zPromptResponse",
  "session/set_mode": "zSetSessionModeResponse",
  "session/set_config_option": "zSetSessionConfigOptionResponse",
};
const CALLS = {
  "session/update": "zSessionNotification",
  "session/request_permission": "zRequestPermissionRequest",
  "fs/read_text_file": "zReadTextFileRequest",
  "fs/write_text_file": "zWriteTextFileRequest",
  "$/cancel_request": "zCancelRequestNotification",
};

// Everything that the SDK's stable schemas reject, strip or replace in the agent's messages.
export function objections() {
  const found = [];
  for (const wire of wires) {
    const pending = new Map();
    for (const { from, message } of wire) {
      if (from === "client") {
        if (message.method) pending.set(message.id, message.method);
        continue;
      }
      const method = message.method ?? pending.get(message.id);
      if (message.error || method?.startsWith("_")) continue;
      const name = message.method ? CALLS[method] : RESPONSES[method];
      const sent = message.method ? message.params : message.result;
      if (!schemas[name]) {
        found.push({ method, what: "unknown" });
        continue;
      }
      const { success, data, error } = schemas[name].safeParse(sent);
      if (success) found.push(...differences(sent, data).map((each) => ({ method, ...each })));
      else found.push({ method, what: "rejected", message: error.message });
    }
  }
  return found;
}

// What of `sent` is missing or different in `parsed`. Defaults that the schema adds do not count.
function differences(sent, parsed, path = "") {
  if (typeof sent !== "object" || sent === null) {
    return Object.is(sent, parsed) ? [] : [{ path, what: "changed" }];
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(sent) !== Array.isArray(parsed)) {
    return [{ path, what: "changed" }];
  }
  if (Array.isArray(sent) && sent.length !== parsed.length) return [{ path, what: "changed" }];
  return Object.keys(sent).flatMap((key) =>
    key in parsed ? differences(sent[key], parsed[key], `${path}.${key}`) : [{ path: `${path}.${key}`, what: "stripped" }],
  );
}
