// What the views of the status page are made of. Texts enter the page only through textContent:
// names and messages of jobs are never markup.
export const el = id => document.getElementById(id);
export function make(tag, text, kind) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}
export function cell(value, kind) {
  const td = make('td', '', kind);
  if (value instanceof Node) td.append(value); else td.textContent = value || '-';
  if (!value) td.classList.add('empty');
  return td;
}
export function link(id, text) {
  const a = make('a', text || id);
  a.href = '#' + id;
  return a;
}
export function button(text, act, kind) {
  const b = make('button', text, kind);
  b.type = 'button';
  b.addEventListener('click', act);
  return b;
}

// Rows of {key, cells}. What has not changed stays the element it was, with its focus.
export function fill(table, header, rows, empty) {
  table.className = 'rows';
  const before = new Map([...table.rows].map(tr => [tr.dataset.key, tr]));
  const row = (key, cells) => {
    const tr = before.get(key) || make('tr');
    tr.dataset.key = key;
    cells.forEach((td, i) => {
      if (td.tagName === 'TD') td.dataset.name = header[i];
      if (!tr.cells[i]) tr.append(td);
      else if (!tr.cells[i].isEqualNode(td)) tr.cells[i].replaceWith(td);
    });
    while (tr.cells.length > cells.length) tr.lastChild.remove();
    return tr;
  };
  const lines = [row('', header.map(name => make('th', name)))];
  for (const { key, cells } of rows) lines.push(row(key, cells));
  if (!rows.length) {
    const td = cell(empty, 'note');
    td.colSpan = header.length;
    lines.push(row('-', [td]));
  }
  const same = lines.length === table.rows.length && lines.every((tr, i) => tr === table.rows[i]);
  if (!same) table.replaceChildren(...lines);
}
// A table with a column for each thing compared; it scrolls sideways on narrow screens.
export function wideTable(header, rows) {
  const table = make('table'), scroll = make('div', '', 'scroll');
  const line = (tag, cells) => {
    const tr = make('tr');
    tr.append(...cells.map(each => each instanceof Node && each.tagName === 'TD' ? each :
        (() => { const c = make(tag); c.append(each); return c; })()));
    return tr;
  };
  const top = make('thead'), body = make('tbody');
  top.append(line('th', ['', ...header]));
  table.append(top, body);
  for (const [name, ...cells] of rows) {
    const head = make('th', name);
    head.scope = 'row';
    const tr = line('td', cells);
    tr.prepend(head);
    body.append(tr);
  }
  scroll.append(table);
  return scroll;
}

export const time = text => text ? new Date(text).toLocaleString() : '';
export function duration(seconds) {
  if (seconds < 120) return Number(seconds.toPrecision(3)) + ' s';
  if (seconds < 7200) return Number((seconds / 60).toPrecision(3)) + ' min';
  return Number((seconds / 3600).toPrecision(3)) + ' h';
}
export const count = n => Number(n || 0).toLocaleString('en');
export function bytes(n) {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = Number(n || 0), unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    ++unit;
  }
  return (unit ? value.toFixed(1) : value) + ' ' + units[unit];
}
export function step(job) {
  const p = job.progress || {};
  if (p.step > 0) return p.step + ' / ' + (p.total_steps || '?');
  return hasEnded(job.state) ? '' : [p.phase, p.activity].filter(Boolean).join(': ');
}
export const hasEnded = state => ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(state);

// --- the token: of this tab, forgotten with it; never in an address ---
const kToken = 'fpo-token';
export const token = () => sessionStorage.getItem(kToken) || '';
export function setToken(text) {
  if (text) sessionStorage.setItem(kToken, text); else sessionStorage.removeItem(kToken);
}
export const wants = { token: false };  // the cache does, where the coordinator does not
// Whether the page came from this machine, so that a token crosses no network.
export const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname);
const bearer = () => token() && isLocal ? { Authorization: 'Bearer ' + token() } : {};

async function answerOf(answer) {
  if (answer.ok) return answer.json();
  const text = await answer.text();
  let words = text;
  try {
    const { error, hint } = JSON.parse(text);
    words = error + (hint ? '; ' + hint : '');
  } catch { /* it is a text */ }
  throw Object.assign(new Error(words.trim() || answer.statusText), { status: answer.status });
}
export const get = async path => answerOf(await fetch(path));
export const getAs = async path => answerOf(await fetch(path, { headers: bearer() }));
export const post = async (path, body) => answerOf(await fetch(path, {
  method: 'POST', body: JSON.stringify(body),
  headers: { 'Content-Type': 'application/json', 'X-FPO-Page': '1', ...bearer() } }));
