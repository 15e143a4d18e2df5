import { delay } from "../harness.ts";
import { seen, type TestPage, withPicture } from "./browser.ts";

/** VS Code in a browser, used as its user does: by keyboard and mouse. */
export class EditorPage {
  readonly view: TestPage;

  constructor(view: TestPage) {
    this.view = view;
  }

  /** Drawn, with the folder's files. */
  async usable(file: string): Promise<void> {
    await withPicture(this.view, "usable", async () => {
      await seen(this.view, new RegExp(file.replaceAll(".", "\\.")), ".explorer-folders-view");
    });
  }

  async openFile(name: string): Promise<void> {
    const { page } = this.view;
    await withPicture(this.view, `open-${name}`, async () => {
      const row = await page.waitForSelector(`.explorer-folders-view [aria-label^="${name}"]`);
      await row!.click({ count: 2 });
      await page.waitForSelector(`.tab.active[data-resource-name="${name}"]`);
      await page.waitForSelector(".editor-instance .view-lines .view-line");
    });
  }

  /** Writes at the end of the open file, and saves. */
  async append(text: string): Promise<void> {
    const { page } = this.view;
    await page.click(".editor-instance .view-lines");
    await this.#chord("Control", "End");
    await page.keyboard.press("Enter");
    await page.keyboard.type(text);
    await this.#chord("Control", "s");
  }

  async openTerminal(): Promise<void> {
    await withPicture(this.view, "terminal", async () => {
      await this.#chord("Control", "Backquote");
      // VS Code's own start of the shell prints a prompt and clears it again.
      const prompt = () =>
        seen(this.view, /sandbox@\S+:\S+\$/, ".terminal-wrapper.active .xterm-rows");
      await prompt();
      await delay(1_000);
      await prompt();
    });
  }

  async typeInTerminal(line: string): Promise<void> {
    await this.view.page.focus(".terminal-wrapper.active .xterm-helper-textarea");
    await this.view.page.keyboard.type(`${line}\n`);
  }

  async terminalShows(what: RegExp): Promise<void> {
    await withPicture(
      this.view,
      "terminal-shows",
      () => seen(this.view, what, ".terminal-wrapper.active .xterm-rows"),
    );
  }

  async #chord(modifier: "Control", key: "End" | "s" | "Backquote"): Promise<void> {
    const { keyboard } = this.view.page;
    await keyboard.down(modifier);
    await keyboard.press(key);
    await keyboard.up(modifier);
  }
}
