"use strict";
// Search, filter, other orders of the leaderboard, and copy buttons. The page is whole without them.
{
  const find = (id) => document.getElementById(id);
  const said = find("said");
  document.documentElement.classList.add("js");

  // Where the clipboard is closed (a page without TLS), the text is selected and copied the old way.
  const copy = async (source) => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      return true;
    } catch {
      getSelection().selectAllChildren(source);
      return document.execCommand("copy");
    }
  };
  for (const button of document.querySelectorAll("[data-copy]")) {
    const word = button.firstChild;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copy(find(button.dataset.copy));
      word.data = done ? "Copied" : "Selected";
      said.textContent = done ? "Copied" : "Selected; press Ctrl and C to copy";
      button.classList.add("done");
      setTimeout(() => {
        word.data = "Copy";
        said.textContent = "";
        button.classList.remove("done");
      }, 2000);
    });
  }

  const query = find("query");
  if (query && find("cards")) {
    const empty = find("empty");
    const links = [...document.querySelectorAll("#filter [data-category]")];
    const cards = [...document.querySelectorAll("#cards > li")].map((card) => ({
      card,
      text: `${card.textContent} ${card.dataset.name}`.toLowerCase(),
      categories: card.dataset.categories.split("\n"),
    }));
    let category = "";

    const hash = (text, name) => {
      const state = new URLSearchParams();
      if (text) state.set("q", text);
      if (name) state.set("category", name);
      return `#${state.size ? state : "apps"}`;
    };
    const show = () => {
      const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const { card, text, categories } of cards) {
        const fits =
          (!category || categories.includes(category)) && words.every((word) => text.includes(word));
        card.hidden = !fits;
        count += fits;
      }
      empty.hidden = count > 0;
      for (const link of links) {
        link.href = hash(query.value, link.dataset.category);
        if (link.dataset.category === category) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
      return count;
    };
    const say = (count) => {
      said.textContent = `${count} ${count === 1 ? "app" : "apps"}`;
    };
    // Other fragments, such as #add, are places on the page and leave the list as it is.
    const read = () => {
      const state = new URLSearchParams(location.hash.slice(1));
      if (state.has("q") || state.has("category") || ["", "#apps"].includes(location.hash)) {
        query.value = state.get("q") ?? "";
        category = state.get("category") ?? "";
        if (!links.some((link) => link.dataset.category === category)) category = "";
      }
      return show();
    };

    find("search").hidden = false;
    find("search").addEventListener("submit", (event) => event.preventDefault());
    query.addEventListener("input", () => {
      history.replaceState(null, "", hash(query.value, category));
      say(show());
    });
    find("clear").addEventListener("click", () => {
      query.value = "";
      category = "";
      history.replaceState(null, "", "#apps");
      say(show());
      query.focus();
    });
    addEventListener("hashchange", () => say(read()));
    read();
  }

  const board = find("board");
  if (board) {
    const heads = [...board.tHead.rows[0].cells];
    const order = (column, ascending) => {
      const number = heads[column].dataset.sort === "number";
      const compare = (a, b) => {
        const [one, other] = [a, b].map((line) => line.cells[column].dataset.value);
        return number ? one - other : one.localeCompare(other, "en", { numeric: true });
      };
      // What is not known stays last in both directions, and apps stay with their machine.
      const unknown = (line) => line.cells[column].dataset.value === "";
      for (const body of board.tBodies) {
        const lines = [...body.rows].filter((line) => !line.classList.contains("machine"));
        lines.sort((a, b) => unknown(a) - unknown(b) || (ascending ? compare(a, b) : compare(b, a)));
        body.append(...lines);
      }
      for (const head of heads) head.removeAttribute("aria-sort");
      heads[column].setAttribute("aria-sort", ascending ? "ascending" : "descending");
    };
    for (const [column, head] of heads.entries()) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      // Numbers begin with the most, texts with A.
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        order(column, before ? before === "descending" : head.dataset.sort === "text");
        said.textContent = `Sorted by ${button.textContent}, ${head.getAttribute("aria-sort")}`;
      });
    }
  }
}
