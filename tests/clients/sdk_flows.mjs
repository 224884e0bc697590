// The flows that the TypeScript SDK's client plays: `node sdk_flows.mjs FLOW SETUP`.

import { methods } from "@agentclientprotocol/sdk";
import { main, shown } from "./report.mjs";
import { connected, objections } from "./sdk_agent.mjs";

const { session: at } = methods.agent;
const text = (text) => [{ type: "text", text }];
const failure = (promise) => promise.then(() => null, ({ code, data }) => ({ code, data }));

const flows = {
  // A prompt through the SDK's own helper for sessions, which ends where the response stands among the updates.
  prompt: (setup) =>
    connected(setup, ({ agent, initialized }) =>
      agent.buildSession(setup.cwd).withSession(async (session) => {
        const answer = session.prompt("hi");
        const said = await session.readText();
        return { initialized, said, response: await answer, modes: session.modes };
      }),
    ),

  // One prompt in a new session; `setup` says how the person answers and what the editor holds.
  turn: (setup) =>
    connected(setup, async ({ agent, person }) => {
      const { sessionId } = await agent.request(at.new, { cwd: setup.cwd, mcpServers: [] });
      const response = await agent.request(at.prompt, { sessionId, prompt: text("go") });
      return { response, asked: person.asked, buffers: person.buffers, updates: person.updates };
    }),

  // A prompt, cancelled when the agent showed `setup.until`, and another one.
  cancel: (setup) =>
    connected(setup, async ({ agent, person, until }) => {
      const { sessionId } = await agent.request(at.new, { cwd: setup.cwd, mcpServers: [] });
      const first = agent.request(at.prompt, { sessionId, prompt: text("work") });
      await (setup.until
        ? until(shown(setup.until))
        : until((wire) => wire.some(({ message }) => message.method === "session/request_permission")));
      await agent.notify(at.cancel, { sessionId });
      person.givenUp.resolve();
      const cancelled = await first;
      const next = await agent.request(at.prompt, { sessionId, prompt: text("and now?") });
      return { cancelled, next, takenBack: person.takenBack };
    }),

  // A conversation in one process …
  talk: (setup) =>
    connected(setup, async ({ agent }) => {
      const { sessionId } = await agent.request(at.new, { cwd: setup.cwd, mcpServers: [] });
      await agent.request(at.prompt, { sessionId, prompt: text("hi") });
      return sessionId;
    }),

  // … that another one takes up.
  reopen: (setup) =>
    connected(setup, async ({ agent, person }) => {
      const given = { sessionId: setup.session, cwd: setup.cwd, mcpServers: [] };
      const loaded = await agent.request(at.load, given);
      const replayed = person.updates.splice(0);
      const again = await agent.request(at.prompt, { sessionId: setup.session, prompt: text("go on") });
      const closed = await agent.request(at.close, { sessionId: setup.session });
      person.updates.splice(0);
      const resumed = await agent.request(at.resume, given);
      const silent = person.updates.splice(0);
      const here = await agent.request(at.list, { cwd: setup.cwd });
      const everywhere = await agent.request(at.list, {});
      const unknown = await failure(agent.request(at.load, { ...given, sessionId: "ses_nobody" }));
      return { loaded, replayed, again, closed, resumed, silent, here, everywhere, unknown };
    }),

  // Every way to change mode and model.
  options: (setup) =>
    connected(setup, async ({ agent }) => {
      const { sessionId, modes, configOptions } = await agent.request(at.new, { cwd: setup.cwd, mcpServers: [] });
      const mode = await agent.request(at.setMode, { sessionId, modeId: "plan" });
      const set = (configId, value) => agent.request(at.setConfigOption, { sessionId, configId, value });
      const model = await set("model", "scripted/other");
      const back = await set("mode", "build");
      const wrong = await Promise.all([
        failure(set("mode", "nonsense")),
        failure(set("nonsense", "x")),
        failure(agent.request(at.setMode, { sessionId, modeId: "nonsense" })),
      ]);
      return { modes, configOptions, mode, model, back, wrong };
    }),

  // The one way to log in, a wrong one, and a session after it.
  authenticate: (setup) =>
    connected(setup, async ({ agent, initialized }) => {
      const offered = initialized.authMethods.map(({ id }) => id);
      const done = await agent.request(methods.agent.authenticate, { methodId: offered[0] });
      const wrong = await failure(agent.request(methods.agent.authenticate, { methodId: "nobody" }));
      const opened = await agent.request(at.new, { cwd: setup.cwd, mcpServers: [] });
      return { offered, done, wrong, session: opened.sessionId };
    }),

  // A session is deleted while it is open, and once more when it is gone.
  remove: (setup) =>
    connected(setup, async ({ agent }) => {
      const { sessionId } = await agent.request(at.new, { cwd: setup.cwd, mcpServers: [] });
      await agent.request(at.prompt, { sessionId, prompt: text("hi") });
      const before = await agent.request(at.list, {});
      const deleted = await agent.request(at.delete, { sessionId });
      const after = await agent.request(at.list, {});
      const again = await agent.request(at.delete, { sessionId });
      const load = await failure(agent.request(at.load, { sessionId, cwd: setup.cwd, mcpServers: [] }));
      const prompt = await failure(agent.request(at.prompt, { sessionId, prompt: text("hi") }));
      return { before, deleted, after, again, load, prompt };
    }),

  // A session with further folders, and one whose further folder is not even a path.
  roots: (setup) =>
    connected(setup, async ({ agent, person }) => {
      const open = (additionalDirectories) =>
        agent.request(at.new, { cwd: setup.cwd, mcpServers: [], additionalDirectories });
      const wrong = await failure(open(["not/absolute"]));
      const { sessionId } = await open(setup.roots);
      const response = await agent.request(at.prompt, { sessionId, prompt: text("go") });
      const listed = await agent.request(at.list, {});
      return { wrong, response, listed, asked: person.asked };
    }),

  // A prompt whose request itself is cancelled, `$/cancel_request`.
  cancelRequest: (setup) =>
    connected(setup, async ({ agent, until }) => {
      const { sessionId } = await agent.request(at.new, { cwd: setup.cwd, mcpServers: [] });
      const cancellation = new AbortController();
      const options = { cancellationSignal: cancellation.signal };
      const first = agent.request(at.prompt, { sessionId, prompt: text("work") }, options);
      await until(shown("Working"));
      cancellation.abort();
      return { cancelled: await first, next: await agent.request(at.prompt, { sessionId, prompt: text("and now?") }) };
    }),

  // What comes unasked: the commands, a title, and changes of mode and options.
  unasked: (setup) =>
    connected(setup, async ({ agent, person, until }) => {
      const { sessionId } = await agent.request(at.new, { cwd: setup.cwd, mcpServers: [] });
      await until(shown("available_commands_update"));
      const command = await agent.request(at.prompt, { sessionId, prompt: text("/mode plan") });
      const response = await agent.request(at.prompt, { sessionId, prompt: text("Please mend the build") });
      await until(shown("session_info_update"));
      const listed = await agent.request(at.list, {});
      return { command, response, listed, updates: person.updates.map(({ update }) => update) };
    }),
};

await main(flows, objections);
