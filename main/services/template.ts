// The template of prompts. For a new run: the model's own chat template where it has one, else the Alpaca prompt; its
// exact text is stored with the run. For a tuned model: what its adapter was trained with, as nullspace.json says.

import { UserError, type ErrorParts } from "../../native-models/errors.ts";
import type { PromptSettings } from "../engine/train-jobs.ts";
import type { AdapterNotes, Readers } from "../engine/readers.ts";

type Wanted = "auto" | "chat" | "alpaca";

export interface ChosenTemplate extends Required<PromptSettings> {
  /** What a user should know about the choice; null where all is as expected. */
  warning: ErrorParts | null;
}

/** For a new run, or for a model without an adapter. */
export function chooseTemplate(readers: Readers, model: string, wanted: Wanted): ChosenTemplate {
  const hasOwn = readers.hasChatTemplate(model);
  if (wanted === "chat" && !hasOwn) {
    throw new UserError({ what: "The model has no chat template.", where: "template", fix: "Choose the template alpaca, or auto." });
  }
  const template = wanted === "auto" ? (hasOwn ? "chat" : "alpaca") : wanted;
  return { template, chatTemplate: template === "chat" ? readers.chatTemplateText(model) : null, warning: null };
}

/** For questions to tuned models: what their adapters were trained with, unless another is wanted. */
export function templateOfAdapters(readers: Readers, model: string, adapters: readonly string[], wanted: Wanted): ChosenTemplate {
  const known = adapters.flatMap((folder) => {
    const notes = readers.adapterNotes(folder);
    return notes === null ? [] : [{ folder, notes }];
  });
  const [first] = known;
  if (first === undefined) return chooseTemplate(readers, model, wanted);
  if (wanted !== "auto") {
    const other = known.find(({ notes }) => notes.template !== wanted);
    return { ...chooseTemplate(readers, model, wanted), warning: other === undefined ? null : otherwiseTrained(other.folder, other.notes, wanted) };
  }
  const unlike = known.find(({ notes }) => notes.template !== first.notes.template || notes.templateText !== first.notes.templateText);
  if (unlike !== undefined) {
    throw new UserError({
      what: `The adapters were trained with different prompt templates: ${first.notes.template} and ${unlike.notes.template}.`,
      where: `template: ${first.folder} and ${unlike.folder}`,
      fix: "Ask them one at a time, or name the template for both.",
    });
  }
  const { template, templateText } = first.notes;
  if (template === "alpaca") return { template, chatTemplate: null, warning: null };
  const own = readers.hasChatTemplate(model) ? readers.chatTemplateText(model) : null;
  return { template, chatTemplate: templateText, warning: own === templateText ? null : changed(first.folder) };
}

function otherwiseTrained(folder: string, { template }: AdapterNotes, wanted: Wanted): ErrorParts {
  return {
    what: `The adapter was trained with the template ${template}; it is asked with ${wanted}.`,
    where: folder,
    fix: "Leave the template on auto to ask it as it was trained.",
  };
}

function changed(folder: string): ErrorParts {
  return {
    what: "The model's chat template is not the one that this adapter was trained with; the stored one is used.",
    where: folder,
    fix: "Nothing needs to be done here. Other programs need the stored text, which is in the adapter's nullspace.json.",
  };
}
