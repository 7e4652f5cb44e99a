// What a program with OpenAI's Node client does; prints what it saw as JSON.
// node drive.mjs SCENARIO, with OPENAI_BASE_URL and OPENAI_API_KEY in the environment.

import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const { threads, assistants } = client.beta;
const EVENTS = [
  ...["messageCreated", "messageDelta", "messageDone", "runStepCreated", "runStepDelta"],
  ...["runStepDone", "toolCallCreated", "toolCallDelta", "toolCallDone", "textCreated"],
  ...["textDelta", "textDone", "end"],
];
const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
};

const scenarios = {
  async plain() {
    const thread = await ask("Good morning");
    const seen = listen(threads.runs.stream(thread.id, { assistant_id: "asst_default" }));
    const run = await seen.stream.finalRun();
    const messages = await seen.stream.finalMessages();
    return { ...seen.report(), status: run.status, text: textOf(messages[0]) };
  },

  async tools() {
    const assistant = await assistants.create({ model: "scripted", tools: [WEATHER] });
    const cities = ["Paris", "Lima"].map((city) => `call get_weather({"city": "${city}"})`);
    const thread = await ask(cities.join(" and "));
    const first = listen(threads.runs.stream(thread.id, { assistant_id: assistant.id }));
    const waiting = await first.stream.finalRun();
    const calls = waiting.required_action.submit_tool_outputs.tool_calls;
    const tool_outputs = calls.map((call) => ({ tool_call_id: call.id, output: "sunny" }));
    const then = listen(
      threads.runs.submitToolOutputsStream(waiting.id, { thread_id: thread.id, tool_outputs }),
    );
    const run = await then.stream.finalRun();
    const steps = await threads.runs.steps.list(run.id, { thread_id: thread.id, order: "asc" });
    return {
      first: { ...first.report(), status: waiting.status },
      then: { ...then.report(), status: run.status },
      arguments: calls.map((call) => call.function.arguments),
      text: textOf((await then.stream.finalMessages())[0]),
      steps: steps.data.map((step) => [step.type, step.status]),
      outputs: steps.data[0].step_details.tool_calls.map((call) => call.function.output),
    };
  },

  async polled() {
    const thread = await ask('call get_weather({"city": "Paris"})');
    const options = { assistant_id: "asst_default", tools: [WEATHER] };
    const waiting = await threads.runs.createAndPoll(thread.id, options);
    const [call] = waiting.required_action.submit_tool_outputs.tool_calls;
    const run = await threads.runs.submitToolOutputsAndPoll(waiting.id, {
      thread_id: thread.id,
      tool_outputs: [{ tool_call_id: call.id, output: "sunny" }],
    });
    const messages = await threads.messages.list(thread.id);
    return { status: [waiting.status, run.status], text: textOf(messages.data[0]) };
  },

  // A stream that ends in any other way than `completed` has a final run as well.
  async ending() {
    const thread = await ask("Tell me");
    const seen = listen(threads.runs.stream(thread.id, { assistant_id: "asst_default" }));
    const run = await seen.stream.finalRun();
    return { ...seen.report(), status: run.status };
  },

  async unknown_path() {
    const error = await client.get("/_stainless_unknown_path").catch((thrown) => thrown);
    return { name: error.constructor.name, status: error.status };
  },

  async pages() {
    const thread = await ask(...Array.from({ length: 7 }, (_, number) => `m${number}`));
    const texts = [];
    for await (const message of threads.messages.list(thread.id, { limit: 2, order: "asc" })) {
      texts.push(textOf(message));
    }
    return { texts };
  },
};

function ask(...texts) {
  return threads.create({ messages: texts.map((content) => ({ role: "user", content })) });
}

function textOf(message) {
  return message.content.map((part) => part.text.value).join("");
}

function listen(stream) {
  const counts = {};
  const names = [];
  for (const event of EVENTS) {
    stream.on(event, () => (counts[event] = (counts[event] ?? 0) + 1));
  }
  stream.on("event", ({ event }) => names.push(event));
  return { stream, report: () => ({ counts, last: names.at(-1), first: names[0] }) };
}

console.log(JSON.stringify(await scenarios[process.argv[2]]()));
