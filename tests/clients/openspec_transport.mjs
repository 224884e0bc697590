// The wire of the VS Code extension "openspec", rebuilt from what it was seen to do; its mistakes are kept on purpose.

// A pipe may hand over its bytes in any pieces; here they are so small that every character of several bytes is cut.
const PIECE = 2;

// JSON-RPC over the pipes of a child process.
export class Transport {
  #nextId = 1;
  #pending = new Map();
  #text = "";
  #process;

  // `serve(method, params)` answers requests, `note(method, params)` takes notifications.
  constructor(process, { serve, note }, { heard }) {
    this.#process = process;
    this.serve = serve;
    this.note = note;
    this.late = [];
    const [wrote, read] = [heard("client"), heard("agent")];
    this.write = (message) => {
      const line = JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n";
      wrote(Buffer.from(line));
      process.stdin.write(line);
    };
    process.stdin.on("error", () => {});
    process.stdout.on("data", (chunk) => {
      read(chunk);
      for (let at = 0; at < chunk.length; at += PIECE) this.#read(chunk.subarray(at, at + PIECE));
    });
    process.on("exit", () => this.#fail(new Error("ACP process exited")));
  }

  // A request; without a time-out it waits for ever.
  request(method, params, timeout) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer =
        timeout &&
        setTimeout(() => {
          this.#pending.delete(id);
          reject(new Error(`${method} timed out`));
        }, timeout);
      this.#pending.set(id, { resolve, reject, timer });
      this.write({ id, method, params });
    });
  }

  notify(method, params) {
    this.write({ method, params });
  }

  // Each chunk is decoded on its own: a character of several bytes that lies across two chunks is lost.
  #read(chunk) {
    const lines = (this.#text + chunk.toString("utf8")).split("\n");
    this.#text = lines.pop();
    lines.map((line) => line.trim()).filter(Boolean).forEach((line) => this.#line(line));
  }

  #line(line) {
    const message = parsed(line);
    if (!message) return;
    // The mistake: whatever has the id of a request that is still open is taken as its answer, a request too.
    if (message.id !== undefined && this.#pending.has(message.id)) {
      const { resolve, reject, timer } = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      clearTimeout(timer);
      if (message.error) reject(new Error(message.error.message));
      else resolve(message.result);
    } else if (message.method && message.id !== undefined) {
      void this.#answer(message);
    } else if (message.method) {
      this.note(message.method, message.params);
    } else {
      this.late.push(message.id);
    }
  }

  async #answer({ id, method, params }) {
    try {
      this.write({ id, result: await this.serve(method, params) });
    } catch (error) {
      this.write({ id, error: { code: error.code ?? -32603, message: error.message } });
    }
  }

  #fail(error) {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#pending.clear();
  }
}

// A line that is no JSON is searched for an object.
function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    try {
      return JSON.parse(line.slice(line.indexOf("{"), line.lastIndexOf("}") + 1));
    } catch {
      return null;
    }
  }
}
