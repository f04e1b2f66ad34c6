// Texts enter the page only through textContent: names and messages of jobs are never markup.
const el = id => document.getElementById(id);
function cell(value, kind) {
  const td = document.createElement('td');
  if (value instanceof Node) td.append(value); else td.textContent = value || '-';
  if (kind) td.className = kind;
  if (!value) td.classList.add('empty');
  return td;
}
function link(id) {
  const a = document.createElement('a');
  a.href = '#' + id; a.textContent = id;
  return a;
}
function fill(table, header, rows, empty) {
  const head = document.createElement('tr');
  for (const name of header) {
    const th = document.createElement('th');
    th.textContent = name; head.append(th);
  }
  const lines = rows.map(cells => {
    const tr = document.createElement('tr');
    cells.forEach((td, i) => { td.dataset.name = header[i]; });
    tr.append(...cells); return tr;
  });
  if (!lines.length) {
    const tr = document.createElement('tr'), td = cell(empty, 'note');
    td.colSpan = header.length; tr.append(td); lines.push(tr);
  }
  el(table).replaceChildren(head, ...lines);
}
const time = text => text ? new Date(text).toLocaleString() : '';
function step(job) {
  const p = job.progress || {};
  const ended = ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(job.state);
  if (p.step > 0) return p.step + ' / ' + (p.total_steps || '?');
  return ended ? '' : [p.phase, p.activity].filter(Boolean).join(': ');
}

const isExtreme = v => Math.abs(v) >= 1e4 || (v && Math.abs(v) < 1e-3);
const number = v => isExtreme(v) ? v.toExponential(2) : v.toPrecision(4);
function curve(series) {
  const figure = document.createElement('figure'), caption = document.createElement('figcaption');
  const points = (series.values || []).map((v, i) => [Number(series.steps[i]), v])
      .filter(p => Number.isFinite(p[1]));
  figure.append(caption);
  if (!points.length) return figure;
  const xs = points.map(p => p[0]), ys = points.map(p => p[1]);
  const low = Math.min(...ys), high = Math.max(...ys), first = xs[0], last = xs[xs.length - 1];
  const at = p => ((p[0] - first) / (last - first || 1) * 300).toFixed(1) + ',' +
      (high > low ? 90 - (p[1] - low) / (high - low) * 80 : 50).toFixed(1);
  caption.textContent = series.name + '  ' + number(ys[ys.length - 1]) +
      '  (' + number(low) + ' to ' + number(high) + ', step ' + first + ' to ' + last + ')';
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 300 100');
  svg.setAttribute('preserveAspectRatio', 'none');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
  line.setAttribute('points', points.map(at).join(' '));
  svg.append(line); figure.append(svg);
  return figure;
}
const get = async path => {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
};
async function showJob(id) {
  el('job').hidden = !id;
  if (!id) return;
  let job = null;
  try {
    job = (await get('/api/job?id=' + id)).job;
  } catch (error) {  // no such job; the rest of the page still works
    el('job-title').textContent = error.message;
    el('job-title').className = 'FAILED';
    el('job-reason').textContent = '';
    el('attempts').replaceChildren(); el('curves').replaceChildren();
    return;
  }
  el('job-title').textContent = job.job_id + '  ' + job.name + '  ' + job.state + '  ' + step(job);
  el('job-title').className = job.state;
  el('job-reason').textContent = job.reason || '';
  fill('attempts', ['attempt', 'epoch', 'workers', 'started', 'ended', 'as', 'last words'],
       (job.attempts || []).map(a => [cell(a.number), cell(a.epoch),
            cell((a.workers || []).join(', ')),
           cell(time(a.started)), cell(time(a.ended)), cell(a.end_class), cell(a.end_message,
            'text')]),
       'no attempt yet');
  const series = (await get('/api/metrics?id=' + id)).series || [];
  el('curves').replaceChildren(...series.filter(s => (s.values || []).length > 1).map(curve));
}
const gib = bytes => ((bytes || 0) / 2 ** 30).toFixed(1);
function devices(w) {
  const all = w.devices || [];
  if (!all.length) return w.device;
  const one = d => (d.index || 0) + ': ' + d.name + ', ' + gib(d.used_bytes) + ' of ' +
      gib(d.memory_bytes) + ' GiB in use';
  return all.map(one).join('; ') + '; driver ' + all[0].driver;
}
async function refresh() {
  try {
    const [workers, queue, jobs] =
        await Promise.all([get('/api/workers'), get('/api/queue'), get('/api/jobs')]);
    fill('workers', ['worker', 'state', 'slots', 'device', 'jobs', 'note'],
         (workers.workers || []).map(w => [cell(w.worker_id), cell(w.state, w.state),
             cell((w.slots_used || 0) + ' / ' + w.slots), cell(devices(w), 'text'),
             cell((w.jobs || []).join(', '), 'text'), cell(w.note, 'text')]),
            'no worker has connected');
    el('slots').textContent = (queue.slots_free || 0) + ' of ' + (queue.slots || 0) + ' slots free';
    fill('queue', ['place', 'job', 'name', 'priority', 'slots', 'starts', 'why it waits'],
         (queue.waiting || []).map(q => [cell(q.position), cell(link(q.job.job_id)),
            cell(q.job.name),
             cell(q.job.priority), cell(q.job.slots), cell(time(q.start_estimate)),
             cell(q.job.reason, 'text')]), 'nothing waits');
    fill('jobs', ['job', 'name', 'kind', 'state', 'step', 'owner', 'submitted', 'reason'],
         (jobs.jobs || []).map(j => [cell(link(j.job_id)), cell(j.name), cell(j.method || j.kind),
             cell(j.state, j.state), cell(step(j)), cell(j.spec?.owner),
             cell(time(j.submitted)), cell(j.reason, 'text')]), 'no job yet');
    await showJob(location.hash.slice(1));
    el('age').textContent = 'as of ' + new Date().toLocaleTimeString();
  } catch (error) {
    el('age').textContent = 'not reachable: ' + error.message;
  }
}
addEventListener('hashchange', refresh);
refresh();
setInterval(refresh, 2000);
