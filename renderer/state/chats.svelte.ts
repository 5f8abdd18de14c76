// The saved conversations: searched, renamed, deleted with a way back, written to a file.

import { SvelteSet } from "svelte/reactivity";
import type { ChatSummary } from "../../main/rpc/contract.ts";
import { saveBlob } from "../draw/save.ts";
import type { Connection } from "./connection.svelte.ts";
import type { Notices } from "./notices.svelte.ts";

const searchPauseMs = 200;

export class ChatsState {
  search = $state("");
  #all = $state.raw<readonly ChatSummary[] | null>(null);
  #leaving = new SvelteSet<number>();
  #connection: Connection;
  #notices: Notices;
  #asked = 0;
  /** Last used first; null before they were read. */
  list = $derived(this.#all?.filter(({ id }) => !this.#leaving.has(id)) ?? null);

  constructor(connection: Connection, notices: Notices) {
    this.#connection = connection;
    this.#notices = notices;
  }

  /** Inside an $effect: reads them now, and anew as the search text or the connection changes. */
  follow(): () => void {
    const { search } = this;
    if (this.#connection.client === null) return () => {};
    const timer = setTimeout(() => void this.load(search), this.#all === null ? 0 : searchPauseMs);
    return () => clearTimeout(timer);
  }

  async load(search = this.search): Promise<void> {
    const { client } = this.#connection;
    if (client === null) return;
    const asked = ++this.#asked;
    try {
      const list = await client.chats.list({ search });
      if (asked === this.#asked) this.#all = list;
    } catch (error) {
      if (this.#connection.client === client) this.#notices.fail("The conversations could not be read.", error);
    }
  }

  async rename(chat: ChatSummary, title: string): Promise<void> {
    const wanted = title.trim();
    if (wanted === "" || wanted === chat.title) return;
    const show = (shown: string): void => {
      this.#all = this.#all?.map((each) => (each.id === chat.id ? { ...each, title: shown } : each)) ?? null;
    };
    show(wanted);
    try {
      await this.#connection.calls.chats.rename({ id: chat.id, title: wanted });
    } catch (error) {
      show(chat.title);
      this.#notices.fail("The conversation was not renamed.", error);
    }
  }

  /** Gone at once, and for good once nobody took it back. */
  forget(chat: ChatSummary): void {
    this.#leaving.add(chat.id);
    const takeBack = (): void => void this.#leaving.delete(chat.id);
    this.#notices.say(`\u201c${chat.title.slice(0, 40)}\u201d will be deleted.`, {
      action: { label: "Undo", run: takeBack },
      onGone: () => {
        void this.#forgetNow(chat.id).catch((error: unknown) => {
          takeBack();
          this.#notices.fail("The conversation was not deleted.", error);
        });
      },
    });
  }

  async #forgetNow(id: number): Promise<void> {
    await this.#connection.calls.chats.forget({ id });
  }

  /** The conversation as a file, given to the browser to save. */
  async save(id: number, format: "markdown" | "json"): Promise<void> {
    try {
      const { fileName, text } = await this.#connection.calls.chats.export({ id, format });
      saveBlob(new Blob([text], { type: format === "json" ? "application/json" : "text/markdown" }), fileName);
    } catch (error) {
      this.#notices.fail("The conversation was not written out.", error);
    }
  }
}
