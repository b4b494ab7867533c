// Keeps as many rows on the page as can be seen, of however many there are. All rows are of one height,
// which the style sheet gives as `--row`; what is above and below them is padding of their body.

const SPARE = 12;

export class Rows {
  items = [];
  /** Key → row on the page. */
  shown = new Map();
  /** What was at the top of the view, and where, so that it stays there when others come and go. */
  place = null;
  pending = false;

  constructor(body, { keyOf, make, update }) {
    Object.assign(this, { body, keyOf, make, update });
    const later = () => this.later();
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later, { passive: true });
  }

  show(items) {
    this.items = items;
    this.keepPlace();
    this.draw();
  }

  /** After this the view stays where it is, whatever is there. */
  forgetPlace() {
    this.place = null;
  }

  later() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.draw();
    });
  }

  keepPlace() {
    if (!this.place) return;
    const index = this.items.findIndex((item) => this.keyOf(item) === this.place.key);
    const moved = index - this.place.index;
    if (index >= 0 && moved) scrollBy({ top: moved * this.place.height, behavior: "instant" });
  }

  draw() {
    const height = parseFloat(getComputedStyle(this.body).getPropertyValue("--row")) || 40;
    const { items } = this;
    this.body.style.height = `${items.length * height}px`;
    const above = -this.body.getBoundingClientRect().top;
    const top = Math.max(0, Math.floor(above / height));
    const first = Math.max(0, Math.min(top - SPARE, items.length - 1));
    const last = Math.min(items.length, top + Math.ceil(innerHeight / height) + SPARE);
    this.place = above > 0 && items[top] ? { key: this.keyOf(items[top]), index: top, height } : null;
    this.body.style.paddingTop = `${first * height}px`;
    this.sync(first, last);
  }

  /** Puts the rows of these items on the page, and moves none that is in its place. */
  sync(first, last) {
    const wanted = new Map();
    for (let index = first; index < last; index += 1) wanted.set(this.keyOf(this.items[index]), index);
    for (const [key, row] of this.shown) {
      if (wanted.has(key)) continue;
      row.remove();
      this.shown.delete(key);
    }
    let next = this.body.firstElementChild;
    for (const [key, index] of wanted) {
      const item = this.items[index];
      let row = this.shown.get(key);
      if (row?.item !== item) {
        const fresh = this.make(item);
        fresh.item = item;
        if (row) {
          if (row === next) next = fresh;
          const focused = row.contains(document.activeElement);
          row.replaceWith(fresh);
          if (focused) fresh.querySelector("button")?.focus({ preventScroll: true });
        }
        this.shown.set(key, row = fresh);
      }
      row.setAttribute("aria-rowindex", index + 2);
      this.update(row, item);
      if (row === next) next = next.nextElementSibling;
      else this.body.insertBefore(row, next);
    }
  }
}
