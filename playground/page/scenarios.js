// Buttons that change or break the world.

import { h } from "./dom.js";
import { confirmed } from "./confirm.js";
import { names, state } from "./state.js";

// press(name) does it and resolves to {ok, told}
export function scenarioPanel(press, tour) {
  const told = h("p", { class: "told", role: "status" });
  const groups = Map.groupBy ? Map.groupBy(state.scenarios, (s) => s.group) : byGroup(state.scenarios);
  const sections = [...groups].map(([group, list]) => h("section", { class: "scenario-group" }, h("h3", {}, group), list.map((s) => row(s, press, told))));
  return h("div", {}, tour, told, sections.length ? sections : h("p", { class: "quiet" }, "This playground has no scenarios."));
}

function byGroup(list) {
  const groups = new Map();
  for (const s of list) groups.set(s.group, [...(groups.get(s.group) ?? []), s]);
  return groups;
}

function row(scenario, press, told) {
  const id = `help-${scenario.name}`;
  const button = h("button", { type: "button", class: `button scenario ${scenario.danger ? "danger" : "plain"}`, "aria-describedby": id, dataset: { scenario: scenario.name } }, scenario.label);
  button.addEventListener("click", async () => {
    if (button.classList.contains("busy") || !(await agreed(scenario))) return;
    button.classList.add("busy");
    try {
      const answer = await press(scenario.name);
      told.textContent = answer.told ?? "Done.";
    } catch (error) {
      told.textContent = error.message;
    } finally {
      button.classList.remove("busy");
    }
  });
  return h("div", { class: "scenario-row" }, button, h("p", { class: "quiet", id }, scenario.help));
}

// Only "start over" throws something away that one may want to keep.
async function agreed(scenario) {
  if (!scenario.confirm) return true;
  const plain = (text) => ({ type: "plain_text", text });
  return confirmed({ title: plain(scenario.label), text: plain(scenario.confirm), confirm: plain("Yes"), deny: plain("No"), style: "danger" }, names);
}
