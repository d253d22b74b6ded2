import { h } from "./dom.js";
import { text } from "./mrkdwn.js";

// Shows a confirm object; true when the person agrees.
export function confirmed(confirm, names) {
  return new Promise((tell) => {
    const danger = confirm.style === "danger";
    const close = (answer) => { dialog.close(); dialog.remove(); tell(answer); };
    const yes = h("button", { type: "button", class: `button ${danger ? "danger" : "primary"} solid`, onclick: () => close(true) }, text(confirm.confirm, names));
    const no = h("button", { type: "button", class: "button plain", onclick: () => close(false) }, text(confirm.deny, names));
    const dialog = h("dialog", { class: "dialog confirm", "aria-labelledby": "confirm-title" },
      h("h2", { id: "confirm-title" }, text(confirm.title, names)),
      h("div", { class: "dialog-body" }, text(confirm.text, names)),
      h("footer", {}, no, yes)); // prettier-ignore
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(false); });
    document.body.append(dialog);
    dialog.showModal();
    yes.focus();
  });
}
