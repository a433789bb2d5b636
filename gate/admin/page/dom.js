/**
 * Elements and tables. Whatever is shown becomes text and never markup: names in it were sent by clients.
 */

export const find = (id) => document.getElementById(id);

/** An element with a class and children: texts, or elements. */
export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Changes a text where it is another one: what is selected stays so. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * A table whose rows keep their elements from one time to the next. A column is `{ title, text(row), kind, state(row) }`:
 * `kind` is its class (`number`, `mono`), `state` a class for one cell; `nothing` is said where there is no row.
 */
export class Table {
  #rows = new Map();
  #columns;
  #key;
  #body = document.createElement("tbody");
  #nothing;
  /** Rows of the first time are not new. */
  #filled = false;

  constructor(table, { columns, key, nothing }) {
    this.#columns = columns;
    this.#key = key;
    const titles = columns.map(({ title, kind }) => {
      const cell = element("th", kind, title);
      cell.scope = "col";
      return cell;
    });
    this.#nothing = element("td", "none", nothing);
    this.#nothing.colSpan = columns.length;
    table.classList.add("cards");
    table.append(element("thead", "", element("tr", "", ...titles)), this.#body);
  }

  show(rows) {
    const shown = new Map();
    for (const row of rows) {
      const key = this.#key(row);
      const line = this.#rows.get(key) ?? this.#makeLine();
      this.#fill(line, row);
      shown.set(key, line);
    }
    for (const [key, line] of this.#rows) if (!shown.has(key)) line.remove();
    let place = this.#body.firstChild;
    for (const line of shown.values()) {
      if (line === place) place = place.nextSibling;
      else this.#body.insertBefore(line, place);
    }
    this.#rows = shown;
    this.#filled = true;
    this.#tellNothing(shown.size === 0);
  }

  #tellNothing(empty) {
    if (empty && !this.#nothing.isConnected) this.#body.append(element("tr", "", this.#nothing));
    else if (!empty) this.#nothing.parentElement?.remove();
  }

  #makeLine() {
    const line = element("tr", this.#filled ? "new" : "");
    for (const { title, kind = "" } of this.#columns) {
      const cell = element("td", kind);
      if (!kind.includes("plain")) cell.dataset.label = title;
      line.append(cell);
    }
    return line;
  }

  #fill(line, row) {
    for (const [at, { text, kind = "", state }] of this.#columns.entries()) {
      const cell = line.children[at], told = text(row);
      setText(cell, told);
      cell.title = kind.includes("clip") ? told : "";
      if (state) cell.className = `${kind} ${state(row)}`;
    }
  }
}
