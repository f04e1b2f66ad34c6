// The curves of one job, or of several over each other, with their final values and job files.
import { el, get, hasEnded, link, make, wideTable } from './page_parts.js';

const { fpoCharts } = window;
let shown = '';  // ids of the jobs on the page
let above = '';  // what the tables above the charts say
let data = null;

function short(v) {
  return Math.abs(v) >= 1e4 || (v && Math.abs(v) < 1e-3) ? v.toExponential(2) :
    String(Number(v.toPrecision(4)));
}
// What a canvas does not tell a screen reader.
function numbers(index) {
  const { xs, figures } = data.draw.charts;
  const at = (s, i) => short(s.y[i]) + ' (' + short(xs[s.x][i]) + ')';
  return wideTable(['first', 'lowest', 'highest', 'last'],
    figures[index].series.filter(s => s.y.length).map(s => [s.label, at(s, 0),
      at(s, s.y.indexOf(Math.min(...s.y))), at(s, s.y.indexOf(Math.max(...s.y))),
      at(s, s.y.length - 1)]));
}
function figureOf(figure, index) {
  const element = make('figure'), caption = make('figcaption', figure.title);
  element.dataset.figure = index;
  if (figure.unit) caption.append(', ' + figure.unit);
  if (figure.note) caption.append(make('small', figure.note));
  const details = make('details', '', 'numbers');
  details.append(make('summary', 'Numbers'));
  details.addEventListener('toggle', () => {
    while (details.childNodes.length > 1) details.lastChild.remove();
    if (details.open) details.append(numbers(index));
  });
  element.append(caption, details);
  return element;
}
function drawAnew() {
  const parts = [];
  let index = 0;
  for (const { title, if_empty, figures } of data.sections) {
    parts.push(make('h2', title));
    if (!figures) parts.push(make('p', if_empty, 'none'));
    const charts = make('div', '', 'charts');
    for (const last = index + figures; index < last; ++index) {
      charts.append(figureOf(data.draw.charts.figures[index], index));
    }
    if (figures) parts.push(charts);
  }
  el('curves').replaceChildren(...parts);
  fpoCharts.start(data.draw);
}

const rowsOf = rows => rows.map(row => [row.name, ...row.cells.map((text, c) => {
  const td = make('td', text);
  if (row.best.includes(c)) {
    td.className = 'best';
    td.title = 'the best';
  }
  return td;
})]);
function headings() {
  return data.jobs.map((job, c) => {
    const span = make('span');
    span.append(make('i', '', 'swatch c' + c % 12), link(job.job_id, job.label));
    return span;
  });
}
function tables() {
  const values = wideTable(headings(), rowsOf(data.final));
  values.classList.add('tall');
  values.tabIndex = 0;
  const parts = [make('h2', 'Final values'), values];
  parts.push(make('h2', 'Differences of the job files'));
  if (data.differences.length) parts.push(wideTable(headings(), rowsOf(data.differences)));
  else if (!data.unread.length) parts.push(make('p', 'None that could change a number.', 'none'));
  if (data.unread.length) {
    parts.push(make('p', 'not read, since another version wrote it: the job file of ' +
      data.unread.join(', '), 'warning'));
  }
  return parts;
}
// Of one job the numbers of its result; its name, method and state are above.
function result() {
  const known = ['job', 'method', 'state', 'records found / needed'];
  const rows = data.final.filter(row => !known.includes(row.name));
  const values = wideTable(['value'], rowsOf(rows));
  values.classList.add('tall');
  values.tabIndex = 0;
  return rows.length ? [make('h2', 'Result'), values] : [];
}

export function leave() {
  if (!shown) return;
  shown = above = '';
  data = null;
  fpoCharts.stop();
  fpoCharts.forget();
  for (const id of ['run-parts', 'curves', 'controls']) el(id).replaceChildren();
}

// Draws the jobs' curves, or brings what is drawn up to date. `extra`: parts above the tables.
// Returns the jobs as they were answered.
export async function showRuns(ids, extra) {
  const wanted = ids.join(',');
  if (shown !== wanted) leave();
  if (shown && data.jobs.every(job => hasEnded(job.state))) return data.jobs;
  const answer = await get('/api/compare?jobs=' + wanted.split(',').map(encodeURIComponent).join(','));
  const isNew = shown !== wanted;
  shown = wanted;
  data = answer;
  // What has not changed stays where a reader has scrolled it.
  const words = JSON.stringify([extra.map(part => part.textContent), data.final,
    data.differences, data.unread]);
  if (words !== above) {
    above = words;
    el('run-parts').replaceChildren(...extra, ...(data.jobs.length > 1 ? tables() : result()));
  }
  if (isNew || !fpoCharts.update(data.draw)) drawAnew();
  return data.jobs;
}
