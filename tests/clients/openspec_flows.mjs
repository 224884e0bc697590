// What a person does with the VS Code extension "openspec": `node openspec_flows.mjs FLOW SETUP`.

import { Client, listens } from "./openspec_client.mjs";
import { main, shown as agentShowed } from "./report.mjs";

// Play in one window and close it; tells what the window showed beside the flow's own result.
async function inWindow(setup, work) {
  const client = new Client(setup);
  const result = await work(client);
  const ended = await client.close();
  const { shown, asked, unexpected, stderr, port, configured, models } = client;
  return { ...result, shown, asked, unexpected, stderr, port, configured, models, ended };
}

const asks = (wire) => wire.some(({ message }) => message.method === "session/request_permission");

const flows = {
  // The extension is activated and its view opens at the same moment; then the first chat.
  activation: (setup) =>
    inWindow(setup, async (client) => {
      await Promise.all([client.connect(), client.connect()]);
      const listening = await listens(client.port);
      const pickers = await client.newSession();
      const reason = await client.prompt("hi");
      return { listening, pickers, reason, session: client.session };
    }),

  // The agent is too slow for the time-out of `initialize`, which is sent again; the late answers come all the same.
  late: (setup) => {
    const halted = Promise.withResolvers();
    const spawned = (child) => child.kill("SIGSTOP") && halted.resolve(child);
    return inWindow({ ...setup, spawned, times: { start: 50, initialize: 100, again: 20 } }, async (client) => {
      const connected = client.connect();
      const child = await halted.promise;
      await untilTrue(() => initializes(client.tap?.wire) >= 3);
      client.times.initialize = 5000;
      child.kill("SIGCONT");
      await connected;
      await client.newSession();
      const reason = await client.prompt("hi");
      return { reason, late: client.transport.late };
    });
  },

  // "New chat" while nothing runs.
  newChat: (setup) =>
    inWindow(setup, async (client) => {
      await client.connect();
      await client.newSession();
      await client.prompt("hi");
      const old = client.session;
      const pickers = await client.newChat();
      const reason = await client.prompt("hi again");
      return { old, session: client.session, pickers, reason };
    }),

  // "New chat" in the middle of an answer.
  newChatInTurn: (setup) =>
    inWindow(setup, async (client) => {
      await client.connect();
      await client.newSession();
      const running = client.prompt("work");
      await client.tap.until(agentShowed("Working"));
      await client.newChat();
      return { cancelled: await running, reason: await client.prompt("hi again") };
    }),

  // The agent dies; the next message goes to a new process with the old session id, and nothing is loaded before.
  restart: (setup) =>
    inWindow({ ...setup, times: { reconnect: 50 } }, async (client) => {
      await client.connect();
      await client.newSession();
      const first = await client.prompt("hi");
      const again = setup.first && (await changed(client, setup.first));
      client.process.kill("SIGKILL");
      await untilTrue(() => client.reconnected);
      await client.reconnected;
      const second = setup.first ? await changed(client, setup.first) : null;
      const reason = await client.prompt("do you remember?");
      return { first, again, second, reason, session: client.session };
    }),

  // The window is loaded anew: a new process, and the session by its id.
  reload: (setup) =>
    inWindow(setup, async (client) => {
      await client.connect();
      const pickers = await client.loadSession(setup.session);
      const replayed = client.shown.splice(0);
      const reason = await client.prompt("go on");
      return { pickers, replayed, reason };
    }),

  // Two windows of one person at once, each with an agent of its own.
  twoWindows: async (setup) => {
    const window = () =>
      inWindow(setup, async (client) => {
        await client.connect();
        await client.newSession();
        return { reason: await client.prompt("hi"), session: client.session };
      });
    return await Promise.all([window(), window()]);
  },

  // Two prompts; the person answers each dialog with the button of the kind `setup.kind`.
  dialogs: (setup) =>
    inWindow({ ...setup, choose: () => setup.kind }, async (client) => {
      await client.connect();
      await client.newSession();
      const reasons = [await client.prompt("run it"), await client.prompt("and again")];
      return { reasons, buffers: client.buffers };
    }),

  // A cancellation while the dialog is open; whoever closes it later does no harm.
  cancelInDialog: (setup) => {
    const dialog = Promise.withResolvers();
    return inWindow({ ...setup, choose: () => dialog.promise }, async (client) => {
      await client.connect();
      await client.newSession();
      const running = client.prompt("run it");
      await client.tap.until(asks);
      client.cancel();
      const cancelled = await running;
      dialog.resolve("allow_once");
      return { cancelled, reason: await client.prompt("and now?") };
    });
  },
};

async function changed(client, { mode, model }) {
  return [await client.setMode(mode), await client.setModel(model)];
}

const initializes = (wire) => (wire ?? []).filter(({ message }) => message.method === "initialize").length;

async function untilTrue(happened) {
  while (!happened()) await new Promise((resolve) => setTimeout(resolve, 5));
}

await main(flows);
