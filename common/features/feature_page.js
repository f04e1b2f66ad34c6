// Texts of the data enter the page only through textContent: rows and labels are never markup.
(() => {
const root = document.querySelector('.features');
const { reports, doubts } = JSON.parse(root.querySelector('script').textContent);
const SIDES = ['chosen', 'rejected'];
const state = { sae: 0, side: 'both', search: '', key: 'change', down: true, open: new Set() };

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'onclick') element.onclick = value;
    else if (value !== undefined && value !== false) element.setAttribute(name, value);
  }
  for (const child of children) {
    if (child !== null && child !== undefined) element.append(child);  // a text becomes a text node
  }
  return element;
}
const number = v => v === null || v === undefined || !Number.isFinite(v) ? '–'
    : v === 0 ? '0' : Math.abs(v) >= 1e4 || Math.abs(v) < 1e-3 ? v.toExponential(1)
    : Number(v.toPrecision(3)).toString();
const signed = v => (v > 0 ? '+' : v < 0 ? '−' : '') + number(Math.abs(v));
const percent = v => Number.isFinite(v) ? number(100 * v) + ' %' : '–';
const direction = v => v > 0 ? 'f-up' : v < 0 ? 'f-down' : '';
const same = (a, b) => a.digest === b.digest && a.layer === b.layer && a.site === b.site;
const nameOf = (report, i) =>
    reports.some((other, k) => k !== i && other.job === report.job)
        ? report.job + ' (' + (i + 1) + ')' : report.job;
const names = reports.map(nameOf);

// The SAEs that all reports have, each as that SAE's part of every report.
const saes = reports[0].saes
    .map(sae => reports.map(report => report.saes.find(other => same(sae, other))))
    .filter(parts => parts.every(Boolean));

// One row for each feature and side that is among the most moved of a report.
function rowsOf(parts) {
  const found = parts.map(part => {
    const all = new Map();
    for (const feature of [...part.others, ...part.moved]) all.set(feature.index, feature);
    return all;
  });
  const rows = [];
  for (const side of SIDES) {
    const wanted = new Set(parts.flatMap(part => part.most_moved[side]));
    for (const index of wanted) {
      const features = found.map(all => all.get(index));
      const values = features.map(feature => feature?.[side]);
      const label = features.map(feature => feature?.label).find(Boolean) || '';
      const change = Math.max(...values.map(v => v ? Math.abs(v.after - v.before) : 0));
      rows.push({ id: side + index, index, side, label, features, values, change });
    }
  }
  return rows;
}

// What a row is sorted by; a number of a job has the job's place behind a dot.
function sortValue(row, key) {
  const [name, job] = key.split('.');
  if (name === 'index' || name === 'side' || name === 'label') return row[name];
  if (job === undefined) return row.change;
  const v = row.values[Number(job)];
  if (!v) return -Infinity;
  if (name === 'delta') return v.after - v.before;
  return v[name];
}

function cell(text, name, kind) {
  return make('td', { 'data-name': name, class: kind }, text);
}

function jobCells(row, i) {
  const v = row.values[i], first = 'f-number f-job', part = saes[state.sae][i];
  const prefix = reports.length > 1 ? names[i] + ': ' : '';
  if (!v) {
    const td = cell('moved less than ' + number(part.floor), prefix + 'change', 'f-job f-none');
    td.colSpan = reports.length > 1 ? 3 : 6;
    return [td];
  }
  const cells = [
    cell(number(v.before), prefix + 'before', first),
    cell(number(v.after), prefix + 'after', 'f-number'),
    cell(signed(v.after - v.before), prefix + 'change', 'f-number ' + direction(v.after - v.before))
  ];
  if (reports.length > 1) return cells;
  return cells.concat([
    cell(number(v.moved), 'mean |change|', 'f-number'),
    cell(percent(v.share), 'share', 'f-number'),
    cell(percent(v.active_before) + ' → ' + percent(v.active_after), 'fires in', 'f-number')
  ]);
}

function textOf(span) {
  const largest = Math.max(1e-30, ...span.after, ...(span.before || []));
  const line = make('div', { class: 'f-text' });
  if (span.position > 0) line.append('… ');
  span.tokens.forEach((token, i) => {
    const after = span.after[i] || 0, before = span.before ? span.before[i] || 0 : 0;
    const piece = make('span', { class: i === span.strongest ? 'f-strongest' : undefined }, token);
    piece.title = 'after ' + number(span.after[i]) +
        (span.before ? ', before ' + number(span.before[i]) : '');
    if (after > 0) piece.style.background = `rgba(var(--f-after), ${0.12 + 0.5 * after / largest})`;
    if (before > 0) {
      piece.style.borderBottomColor = 'var(--f-before)';
      piece.style.borderBottomWidth = 1 + Math.round(2 * before / largest) + 'px';
    }
    line.append(piece);
  });
  return line;
}

function spansOf(row) {
  const parts = [];
  row.features.forEach((feature, i) => {
    const spans = feature?.spans || [];
    if (reports.length > 1) {
      const v = row.values[i];
      parts.push(make('strong', null, names[i]), make('span', { class: 'f-none' }, v ?
          `  mean |change| ${number(v.moved)}, ${percent(v.share)} of all movement, fires in ` +
          `${percent(v.active_before)} → ${percent(v.active_after)} of the responses` : ''));
    }
    if (!spans.length) parts.push(make('p', { class: 'f-none' }, 'no texts in this report'));
    for (const span of spans) {
      const at = span.strongest, where = 'row ' + (span.row + 1) +
          (span.id ? ' (' + span.id + ')' : '') + ', ' + span.side;
      const codes = (span.before ? number(span.before[at]) + ' → ' : '') + number(span.after[at]);
      parts.push(make('div', { class: 'f-span' },
          make('small', null, where + ', strongest token ' + codes), textOf(span)));
    }
  });
  return parts;
}

function header() {
  const several = reports.length > 1, top = make('tr'), columns = make('tr');
  const add = (key, text, kind) => {
    const th = make('th', { scope: 'col', class: kind,
      'aria-sort': state.key === key ? (state.down ? 'descending' : 'ascending') : undefined });
    th.append(make('button', { type: 'button', onclick: () => {
      state.down = state.key === key ? !state.down : key !== 'index' && key !== 'label';
      state.key = key;
      drawTable();
    } }, text));
    columns.append(th);
  };
  add('index', 'feature'); add('side', 'side'); add('label', 'label');
  if (several) top.append(make('th', { colspan: 3 }));
  reports.forEach((_report, i) => {
    const first = 'f-number f-job';
    if (several) top.append(make('th', { colspan: 3, class: 'f-job' }, names[i]));
    add('before.' + i, 'before', first);
    add('after.' + i, 'after', 'f-number');
    add(several ? 'delta.' + i : 'change', 'change', 'f-number');
    if (several) return;
    add('moved.0', 'mean |change|', 'f-number');
    add('share.0', 'share', 'f-number');
    add('active_after.0', 'fires in', 'f-number');
  });
  return make('thead', null, several ? top : null, columns);
}

let table, counter;
function drawTable() {
  const words = state.search.toLowerCase();
  const spansHave = row => row.features.some(feature => feature && (feature.spans || []).some(
      span => span.tokens.join('').toLowerCase().includes(words)));
  const all = rowsOf(saes[state.sae]);
  const rows = all.filter(row => (state.side === 'both' || row.side === state.side) &&
      (!words || String(row.index) === words || row.label.toLowerCase().includes(words) ||
       spansHave(row)));
  rows.sort((a, b) => {
    const x = sortValue(a, state.key), y = sortValue(b, state.key);
    const order = x < y ? -1 : x > y ? 1 : a.index - b.index;
    return state.down ? -order : order;
  });
  const body = make('tbody');
  for (const row of rows) {
    const open = state.open.has(row.id);
    const toggle = make('button', { type: 'button', class: 'f-open', 'aria-expanded': String(open),
      onclick: () => {
        if (!state.open.delete(row.id)) state.open.add(row.id);
        drawTable();
      } }, String(row.index));
    const tr = make('tr', null, make('td', { 'data-name': 'feature' }, toggle),
        cell(row.side, 'side'), cell(row.label || '–', 'label', row.label ? '' : 'f-none'));
    row.values.forEach((_, i) => { tr.append(...jobCells(row, i)); });
    body.append(tr);
    if (!open) continue;
    const columns = 3 + (reports.length > 1 ? 3 * reports.length : 6);
    body.append(make('tr', null,
        make('td', { class: 'f-spans', colspan: columns }, ...spansOf(row))));
  }
  table.replaceChildren(header(), body);
  counter.textContent = rows.length + ' of ' + all.length;
}

function fitTable(parts) {
  const lines = [['variance not explained (FVU)', 'fvu'], ['active features a token (L0)', 'l0'],
    ['cross-entropy of the responses', 'ce'], ['… with the reconstruction', 'ce_sae'],
    ['… with zeros at the site', 'ce_zero'], ['loss recovered', 'loss_recovered']];
  const head = make('tr', null, make('th'));
  for (const name of names) {
    const prefix = reports.length > 1 ? name + ' ' : '';
    head.append(make('th', { class: 'f-number' }, prefix + 'before'),
        make('th', { class: 'f-number' }, prefix + 'after'));
  }
  const body = make('tbody');
  for (const [text, key] of lines) {
    const tr = make('tr', null, make('th', { scope: 'row' }, text));
    for (const part of parts) {
      for (const when of ['before', 'after']) {
        const fit = part.fit[when];
        tr.append(make('td', { class: 'f-number' }, number(fit ? fit[key] : null)));
      }
    }
    body.append(tr);
  }
  return make('div', { class: 'f-scroll' },
      make('table', { class: 'f-fit' }, make('thead', null, head), body));
}

function draw() {
  const parts = saes[state.sae], sae = parts[0], page = [];
  const list = [...doubts];
  reports.forEach((report, i) => {
    for (const sentence of report.missing) {
      list.push(reports.length > 1 ? names[i] + ': ' + sentence : sentence);
    }
  });
  reports.forEach((report, i) => { page.push(make('p', null,
      (reports.length > 1 ? names[i] + ' (' + report.method + '): ' : report.method + ': ') +
      `the first ${report.pairs.used} of ${report.pairs.there} pairs of ` +
      `${report.pairs.files.join(', ')}; before: ${report.reference.path}, ` +
      `after: ${report.policy.path}`)); });
  if (list.length) {
    page.push(make('ul', { class: 'f-missing' }, ...list.map(text => make('li', null, text))));
  }
  const bar = make('div', { class: 'f-bar' });
  if (saes.length > 1) {
    const select = make('select', { 'aria-label': 'SAE' }, ...saes.map((one, i) => make('option',
        { value: i, selected: i === state.sae ? '' : undefined },
        `layer ${one[0].layer} ${one[0].site}`)));
    select.onchange = () => { state.sae = Number(select.value); state.open.clear(); draw(); };
    bar.append(select);
  }
  for (const side of ['both', ...SIDES]) {
    bar.append(make('button', { type: 'button', 'aria-pressed': String(state.side === side),
      onclick: () => { state.side = side; draw(); } }, side === 'both' ? 'both sides' : side));
  }
  const search = make('input', { type: 'search', placeholder: 'label, number or text',
    'aria-label': 'search' });
  search.value = state.search;
  search.oninput = () => { state.search = search.value.trim(); drawTable(); };
  counter = make('span', { class: 'f-none' });
  bar.append(search, counter);
  const shade = make('span', null, 'after'), line = make('span', null, 'before');
  shade.style.background = 'rgba(var(--f-after), .5)';
  line.style.borderBottomColor = 'var(--f-before)';
  table = make('table', { class: 'f-moved' });
  page.push(make('p', null, `SAE: ${sae.path}, layer ${sae.layer} ${sae.site}, ` +
      `${sae.features.toLocaleString('en')} features` +
      (sae.labels ? `; labels: ${sae.labels}` : '')),
      bar, make('div', { class: 'f-scroll' }, table),
      make('p', { class: 'f-key' }, 'Codes in the texts: ', shade, ' as shade, ', line,
          ' as underline; the framed token is the strongest.'),
      make('h3', null, `How well the SAE fits, on ${sae.fit.pairs} pairs`), fitTable(parts));
  root.replaceChildren(...page);
  drawTable();
}

draw();
})();
