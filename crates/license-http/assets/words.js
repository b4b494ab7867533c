// How numbers, instants and dates read.

/** What a right counts where it has no limit. */
export const UNLIMITED = 32767;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const count = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const dateOnly = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

export const number = (value) => count.format(value);
export const plural = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;
export const timeOfDay = (instant) => clock.format(instant);
export const dayOfMonth = (instant) => day.format(instant);
export const fullTime = (instant) => exact.format(instant);

/** The last day of a right or a license, such as 1 Feb 2035. */
export const lastDay = (date) => dateOnly.format(Date.UTC(date.year, date.month - 1, date.day));

/** Whole days of UTC until what expires on this date has expired: 1 on its last day, 0 after it. */
export function daysLeft(date, now) {
  const end = Date.UTC(date.year, date.month - 1, date.day) + DAY;
  return Math.max(0, Math.ceil((end - now) / DAY));
}

/** How long something lasts, in its two greatest units. */
export function duration(milliseconds) {
  const time = Math.max(0, milliseconds);
  if (time < MINUTE) return `${Math.floor(time / 1000)} s`;
  if (time < HOUR) return `${Math.floor(time / MINUTE)} min`;
  if (time < DAY) return two(time, HOUR, "h", MINUTE, "min");
  return two(time, DAY, "d", HOUR, "h");
}

/** How long ago something was. */
export const ago = (milliseconds) => milliseconds < 5000 ? "just now" : `${duration(milliseconds)} ago`;

/** A product id as people write it: its four characters where it has them. */
export function productId(id) {
  const characters = [24, 16, 8, 0].map((shift) => String.fromCharCode((id / 2 ** shift) & 0xff)).join("");
  return id < 2 ** 32 && /^[0-9A-Za-z]{4}$/.test(characters) ? characters : String(id);
}

/** The words of the codes of refusals and of the states of sessions. */
export const REFUSED = {
  no_license_left: "none left",
  license_expired: "expired",
  unknown_product: "unknown product",
  not_permitted: "not permitted",
};

function two(time, unit, name, part, partName) {
  const parts = Math.floor((time % unit) / part);
  return `${Math.floor(time / unit)} ${name}` + (parts ? ` ${parts} ${partName}` : "");
}
