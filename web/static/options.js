// The fields for an engine's options: those of the chosen engines are shown, and only what was changed is sent.
export function showOptions(form, engines) {
  for (const group of form.querySelectorAll("[data-options-of]")) group.hidden = !engines.includes(group.dataset.optionsOf);
}

export function changedOptions(form, engines) {
  const options = {};
  for (const engine of engines) {
    const group = form.querySelector(`[data-options-of="${CSS.escape(engine)}"]`);
    for (const field of group?.querySelectorAll("[data-option]") ?? []) {
      const value = valueOf(field);
      if (JSON.stringify(value) !== JSON.stringify(JSON.parse(field.dataset.default))) options[field.dataset.option] = value;
    }
  }
  return options;
}

function valueOf(field) {
  if (field.dataset.kind === "bool") return field.checked;
  const text = field.value.trim();
  return ["int", "float"].includes(field.dataset.kind) && text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}
