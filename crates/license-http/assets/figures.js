// The last day by the minute: how many were used, and what was refused, folded from the entries of the log.
//
// Entries change a count that begins at nothing; what was held before the first of them is the
// difference to what is held now, so no entry older than the period is needed.

const MINUTE = 60_000;
const KEPT = 24 * 60;
const RECENT = 200;

export class Figures {
  /** Sequence of the last entry. */
  sequence = 0;
  /** Product id → {level, minutes: Map of minute → {high, end, refused}, before: the end of those that are forgotten}. */
  products = new Map();
  /** The latest refusals, the newest first. */
  refusals = [];

  apply({ sequence, time, event }) {
    if (sequence <= this.sequence) return;
    this.sequence = sequence;
    const change = { retained: 1, released: -1, refused: 0 }[event.kind];
    if (change === undefined) return;
    const at = Date.parse(time);
    const product = this.product(event.productId);
    const minute = product.minutes.get(Math.floor(at / MINUTE)) ?? { high: product.level, refused: 0 };
    product.level += change;
    minute.high = Math.max(minute.high, product.level);
    minute.end = product.level;
    if (event.kind === "refused") {
      minute.refused += event.times;
      this.refusals.unshift({ at, product: event.productId, code: event.code, times: event.times, who: event.description?.userName ?? "", address: event.description?.IPAddress ?? "", session: event.sessionId, sessions: event.sessions });
      this.refusals.length = Math.min(this.refusals.length, RECENT);
    }
    product.minutes.set(Math.floor(at / MINUTE), minute);
  }

  /** Forgets what is older than the period. */
  trim(now) {
    const oldest = Math.floor(now / MINUTE) - KEPT;
    for (const product of this.products.values()) {
      for (const [minute, { end }] of product.minutes) {
        if (minute >= oldest) break;
        product.before = end;
        product.minutes.delete(minute);
      }
    }
    this.refusals = this.refusals.filter(({ at }) => at >= now - KEPT * MINUTE);
  }

  /** How many refusals of a product lie in the period. */
  refused(id) {
    let times = 0;
    for (const minute of this.products.get(id)?.minutes.values() ?? []) times += minute.refused;
    return times;
  }

  /** The last `span` minutes in steps of `step`: the most that were used in each, given what is used now. */
  series(id, used, now, span, step) {
    const { level, minutes, before: forgotten } = this.product(id);
    const before = used - level;
    const last = Math.floor(now / MINUTE);
    const first = Math.floor((last - span) / step) * step;
    let current = forgotten;
    for (const [minute, { end }] of minutes) {
      if (minute >= first) break;
      current = end;
    }
    const points = [];
    for (let start = first; start <= last; start += step) {
      let high = current;
      let refused = 0;
      for (let minute = start; minute < start + step; minute += 1) {
        const found = minutes.get(minute);
        if (!found) continue;
        high = Math.max(high, found.high);
        current = found.end;
        refused += found.refused;
      }
      points.push({ at: start * MINUTE, used: Math.max(0, before + high), refused });
    }
    return points;
  }

  product(id) {
    let product = this.products.get(id);
    if (!product) this.products.set(id, product = { level: 0, minutes: new Map(), before: 0 });
    return product;
  }
}
