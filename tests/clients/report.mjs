// What a program here tells pytest: one JSON object on stdout.

export const wires = [];

// A tap of one agent process: `heard(who)` gives a function that is fed bytes and keeps the lines.
export function tap() {
  const wire = [];
  wires.push(wire);
  const waiting = new Set();
  const heard = (who) => {
    let rest = "";
    const decoder = new TextDecoder();
    return (bytes) => {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        wire.push({ from: who, message: JSON.parse(line) });
      }
      for (const look of [...waiting]) look();
    };
  };
  // Wait until `found(wire)` is true; gives what it gave.
  const until = (found) =>
    new Promise((resolve) => {
      const look = () => {
        const value = found(wire);
        if (value) {
          waiting.delete(look);
          resolve(value);
        }
      };
      waiting.add(look);
      look();
    });
  return { wire, heard, until };
}

// Play the flow that the command line names, and tell how it went. `problems()` adds what was objected to.
export async function main(flows, problems = () => []) {
  const [name, setup] = [process.argv[2], JSON.parse(process.argv[3])];
  const report = {};
  try {
    report.result = await flows[name](setup);
  } catch (error) {
    report.error = String(error?.stack ?? error);
  }
  report.wires = wires;
  report.problems = problems();
  // After a failure an agent may still run; it ends when we do.
  process.stdout.write(JSON.stringify(report) + "\n", () => process.exit());
}

// Whether an update's JSON contains a text; for `until`.
export function shown(text) {
  return (wire) =>
    wire.some(({ from, message }) => from === "agent" && JSON.stringify(message.params?.update ?? "").includes(text));
}
