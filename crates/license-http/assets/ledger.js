// What is held now: a report of usage, kept current by the entries that follow it.
//
// An entry may come twice, or tell of what the report shows already: to add a token that is there and to
// remove one that is gone change nothing.

import { UNLIMITED, daysLeft } from "./words.js";

export class Ledger {
  info = null;
  /** Token → holder. */
  holders = new Map();
  /** Product id → how many hold it. */
  used = new Map();
  /** Takes a fresh report: License info, License usage and which server serves which token. */
  load(info, usage, servers) {
    this.info = info;
    this.holders = new Map(usage.map((retention) => {
      const shown = this.holders.get(retention.token);
      const fresh = holder(retention, servers.get(retention.token) ?? "");
      // What did not change stays the same object, so that its row stays, and a click on it that has begun.
      return [retention.token, shown && isSame(shown, fresh) ? shown : fresh];
    }));
    this.used = new Map();
    for (const { product } of this.holders.values()) this.count(product, 1);
  }

  /** Applies an entry of the log; true where only a fresh report can tell what it changed. */
  apply({ event, time, server }) {
    switch (event.kind) {
      case "retained":
        if (!this.holders.has(event.token)) {
          this.holders.set(event.token, holder({ ...event, time, session: event.description ?? {} }, server));
          this.count(event.productId, 1);
        }
        return !this.info?.products.some((product) => product.id === event.productId);
      case "released":
        this.remove(event.token);
        return false;
      case "installed":
      case "uninstalled":
      case "state_changed":
      case "moved":
      case "adopted":
        return true;
      default:
        return false;
    }
  }

  remove(token) {
    const held = this.holders.get(token);
    if (held && this.holders.delete(token)) this.count(held.product, -1);
  }

  count(product, change) {
    this.used.set(product, (this.used.get(product) ?? 0) + change);
  }

  /** The products in the order of the license, with their figures of this instant. */
  products(now) {
    const expired = this.info?.expirationDate && daysLeft(this.info.expirationDate, now) === 0;
    return (this.info?.products ?? []).map(({ id, name, allowedCount: allowed, rights }) => {
      const used = this.used.get(id) ?? 0;
      const alive = rights.filter((right) => !expired && !(right.expirationDate && daysLeft(right.expirationDate, now) === 0));
      const unlimited = alive.some((right) => right.count === UNLIMITED);
      const free = unlimited ? Infinity : Math.max(0, allowed - used);
      return { id, name, used, allowed, unlimited, free, over: unlimited ? 0 : Math.max(0, used - allowed), rights: alive, allRights: rights };
    });
  }
}

/** What the page shows of a retention, whichever shape its session has. */
function holder({ token, productId, productName, time, reason, session }, server) {
  const shown = {
    token, product: productId, name: productName, reason, server,
    since: Date.parse(time),
    who: session.userName ?? "",
    account: session.systemUserName ?? "",
    machine: session.machineName ?? session.userAgent ?? "",
    address: session.IPAddress ?? "",
    state: session.state ?? "",
    kind: kindOf(session),
    session: session.ID ?? session.sessionID ?? "",
  };
  shown.text = [shown.who, shown.account, shown.machine, shown.address, reason, productName, server, shown.kind, shown.session, `#${token}`]
    .join("\n").toLowerCase();
  return shown;
}

const isSame = (one, other) => Object.keys(other).every((key) => one[key] === other[key]);

function kindOf(session) {
  if ("userAgent" in session) return "SQL";
  if ("sessionID" in session) return session.isDatastore ? "REST datastore" : "REST";
  if (!session.type) return "";
  const kinds = { remote: "Client", storedProcedure: "Stored procedure", web: "Web", rest: "REST" };
  const hosts = { windows: "Windows", mac: "Mac", browser: "browser" };
  return [kinds[session.type] ?? session.type, hosts[session.hostType] ?? session.hostType].filter(Boolean).join(", ");
}
