// The Home tab of the app.

import { blocks } from "./blockkit.js";
import { fill, h } from "./dom.js";
import { names } from "./state.js";

export class Home {
  // act(view, payload)
  constructor(node, act) {
    this.node = node;
    this.act = act;
  }

  loading() {
    fill(this.node, h("p", { class: "quiet home-wait", role: "status" }, "Asking the bot for its Home…"));
  }

  show(view) {
    const context = { names, act: (payload) => this.act(view, payload), errors: {}, values: {} };
    fill(this.node, blocks(view.blocks, context));
  }
}
