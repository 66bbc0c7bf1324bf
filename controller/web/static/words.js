// Numbers and moments as the command line writes them. Times of day are UTC, as in all of Penstock's sentences.

let ahead = 0; // seconds by which the controller's clock is ahead of the browser's

export function synchronise(time) {
  ahead = time - Date.now() / 1000;
}

export function now() {
  return Date.now() / 1000 + ahead;
}

export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return whole % 60 ? `${Math.floor(whole / 60)}m${whole % 60}s` : `${whole / 60}m`;
  const minutes = Math.floor(whole / 60) % 60;
  if (whole < 48 * 3600) return minutes ? `${Math.floor(whole / 3600)}h${minutes}m` : `${Math.floor(whole / 3600)}h`;
  return `${Math.floor(whole / 86400)}d`;
}

export function ago(moment) {
  const seconds = now() - moment;
  return seconds < 1.5 ? "now" : `${span(seconds < 60 ? seconds : Math.floor(seconds / 60) * 60)} ago`;
}

export function clock(moment) {
  return new Date(moment * 1000).toISOString().slice(11, 19);
}

export function counted(number, noun) {
  return number === 1 ? `1 ${noun}` : `${number} ${noun}s`;
}

export function factor(value) {
  if (value >= 9999.5) return ">9999x";
  return value >= 9.95 ? `${value.toFixed(0)}x` : `${value.toFixed(1)}x`;
}

export function percent(rate) {
  const value = 100 * rate;
  if (value === 0 || value >= 99.95) return `${value.toFixed(0)}%`;
  return value >= 0.95 ? `${value.toFixed(1)}%` : `${Number(value.toPrecision(2))}%`;
}

export function amount(value) {
  return Number.isInteger(value) || value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

export const MOODS = {
  waiting: "waits for a person",
  held: "held",
  back: "taken back",
  moving: "under way",
  finishing: "finishing",
};
