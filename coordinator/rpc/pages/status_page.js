// The status page: #ID shows a job, #compare=ID,ID several, #cache the cache.
import { button, cell, el, fill, get, isLocal, link, make, post, setToken, step,
  time, token, wants } from './page_parts.js';
import { showCache } from './page_cache.js';
import { leave, showRuns } from './page_compare.js';

const kRunsMax = 12;
let facts = { wants_token: false, no_changes: '', cache: '' };
let jobs = [];                // the newest ones
const selected = new Set();   // ids

// --- what can be done to a job ---
const kActive = ['RESERVED', 'STARTING', 'RUNNING'];
const kActions = [
  { word: 'hold', past: 'held', on: ['QUEUED'], note: 'It waits until it is released.' },
  { word: 'release', past: 'released', on: ['HELD'], note: 'It takes its place in the queue.' },
  { word: 'pause', past: 'pausing', on: [...kActive, 'PREEMPTING'],
    note: 'It writes a checkpoint and gives its slots back, until it is resumed.' },
  { word: 'resume', past: 'resumed', on: ['PAUSED'], note: 'It takes its place in the queue.' },
  { word: 'retry', past: 'retried', on: ['FAILED', 'CANCELLED'],
    note: 'A new job with the same settings and output folder, from the newest checkpoint.' },
  { word: 'cancel', past: 'cancelled', danger: true,
    on: ['QUEUED', 'HELD', ...kActive, 'RECOVERING', 'PREEMPTING', 'PAUSING', 'PAUSED'],
    note: 'It ends and is not resumed; its checkpoints stay.' }];
const mayChange = () => isLocal && !facts.no_changes && (!facts.wants_token || token());

function ask(action, targets) {
  const title = action.word[0].toUpperCase() + action.word.slice(1);
  const what = targets.length > 1 ? targets.length + ' jobs' : 'job ' + targets[0].job_id;
  el('confirm-title').textContent = title + ' ' + what + '?';
  el('confirm-jobs').replaceChildren(...targets.map(job =>
    make('li', job.job_id + '  ' + (job.name || '') + '  ' + job.state)));
  el('confirm-note').textContent = action.note;
  const yes = el('confirm-yes');
  yes.textContent = title + (targets.length > 1 ? ' ' + what : ' job');
  yes.className = action.danger ? 'danger' : '';
  const dialog = el('confirm');
  dialog.returnValue = 'no';
  dialog.showModal();
  el('confirm-no').focus();
  return new Promise(done => dialog.addEventListener('close',
    () => done(dialog.returnValue === 'yes'), { once: true }));
}
function say(text, kind) {
  const said = el('said');
  said.append(make('p', text, kind));
  while (said.children.length > 8) said.firstChild.remove();
}
const requestId = () => 'page-' +
    [...crypto.getRandomValues(new Uint8Array(16))].map(b => b.toString(16).padStart(2, '0')).join('');
async function act(action, targets) {
  if (!await ask(action, targets)) return;
  el('said').replaceChildren();
  for (const job of targets) {
    const name = job.job_id + (job.name ? ' (' + job.name + ')' : '');
    const body = { job_id: job.job_id };
    if (action.word === 'retry') body.request_id = requestId();
    try {
      const answer = await post('/api/' + action.word, body);
      say(name + ': ' + (action.word === 'retry' ? 'retried as ' + answer.job_id :
        action.past + ', now ' + answer.job.state));
    } catch (error) {
      say(name + ' was not ' + action.past + ': ' + error.message, 'FAILED');
      if (error.status === 401) showToken();
    }
  }
  selected.clear();
  await refresh();
}
// Buttons for what can be done to some of these jobs. Kept while they would be the same.
function actionButtons(bar, targets, more) {
  const fitting = mayChange() ? kActions.map(action =>
    [action, targets.filter(job => action.on.includes(job.state))]).filter(([, fit]) => fit.length) :
    [];
  const state = JSON.stringify([targets.map(j => [j.job_id, j.state]), fitting.map(([a]) => a.word)]);
  if (bar.dataset.state === state) return;
  bar.dataset.state = state;
  bar.replaceChildren(...more, ...fitting.map(([action, fit]) => button(
    action.word[0].toUpperCase() + action.word.slice(1) +
      (targets.length > 1 ? ' ' + fit.length : ''),
    () => act(action, fit), action.danger ? 'danger' : '')));
}

// --- the token ---
function showToken() {
  el('token-form').hidden = !(facts.wants_token || wants.token) || !isLocal;
  el('forget-token').hidden = !token();
  el('token').placeholder = token() ? 'in use' : '';
  const why = !isLocal ? 'Read-only: this page came over a network without TLS. To change jobs, use ' +
      'fpoctl, or forward its port to this machine, e.g. ssh -L 7071:localhost:7071 HOST.' :
    facts.no_changes ? 'Read-only: ' + facts.no_changes + '.' :
    facts.wants_token && !token() ? 'Read-only until you enter your token.' : '';
  el('no-changes').textContent = why;
  el('no-changes').hidden = !why;
}
el('token-form').addEventListener('submit', event => {
  event.preventDefault();
  setToken(el('token').value.trim());
  el('token').value = '';
  showToken();
  refresh();
});
el('forget-token').addEventListener('click', () => {
  setToken('');
  showToken();
  refresh();
});

// --- all jobs ---
const gib = n => ((n || 0) / 2 ** 30).toFixed(1);
function devices(w) {
  const all = w.devices || [];
  if (!all.length) return w.device;
  const one = d => (d.index || 0) + ': ' + d.name + ', ' + gib(d.used_bytes) + ' of ' +
      gib(d.memory_bytes) + ' GiB in use';
  return all.map(one).join('; ') + '; driver ' + all[0].driver;
}
function box(job) {
  const input = make('input');
  input.type = 'checkbox';
  input.checked = selected.has(job.job_id);
  input.setAttribute('aria-label', 'Select ' + (job.name || job.job_id));
  input.addEventListener('change', () => {
    if (input.checked) selected.add(job.job_id); else selected.delete(job.job_id);
    showSelection();
  });
  return input;
}
function showSelection() {
  const chosen = jobs.filter(job => selected.has(job.job_id));
  el('selection').hidden = !chosen.length;
  const compare = button('Compare', () => {
    location.hash = 'compare=' + chosen.map(job => job.job_id).join(',');
  });
  compare.disabled = chosen.length < 2 || chosen.length > kRunsMax;
  compare.title = compare.disabled ? 'two to ' + kRunsMax + ' jobs' : '';
  actionButtons(el('selection'), chosen, [make('span', chosen.length + ' selected'), compare,
    button('Clear', () => {
      selected.clear();
      showSelection();
    })]);
  for (const input of el('jobs').querySelectorAll('input')) {
    input.checked = selected.has(input.closest('tr').dataset.key);
  }
}
async function showAll() {
  const [workers, queue] = await Promise.all([get('/api/workers'), get('/api/queue')]);
  fill(el('workers'), ['worker', 'state', 'slots', 'device', 'jobs', 'note'],
       (workers.workers || []).map(w => ({ key: w.worker_id, cells: [cell(w.worker_id),
         cell(w.state, w.state), cell((w.slots_used || 0) + ' / ' + w.slots),
         cell(devices(w), 'text'), cell((w.jobs || []).join(', '), 'text'),
         cell(w.note, 'text')] })), 'no worker has connected');
  el('slots').textContent = (queue.slots_free || 0) + ' of ' + (queue.slots || 0) + ' slots free';
  fill(el('queue'), ['place', 'job', 'name', 'priority', 'slots', 'starts', 'why it waits'],
       (queue.waiting || []).map(q => ({ key: q.job.job_id, cells: [cell(q.position),
         cell(link(q.job.job_id)), cell(q.job.name), cell(q.job.priority), cell(q.job.slots),
         cell(time(q.start_estimate)), cell(q.job.reason, 'text')] })), 'nothing waits');
  fill(el('jobs'), ['select', 'job', 'name', 'kind', 'state', 'step', 'owner', 'submitted', 'reason'],
       jobs.map(j => ({ key: j.job_id, cells: [cell(box(j)), cell(link(j.job_id)), cell(j.name),
         cell(j.method || j.kind), cell(j.state, j.state), cell(step(j)), cell(j.spec?.owner),
         cell(time(j.submitted)), cell(j.reason, 'text')] })), 'no job yet');
  showSelection();
}

// --- one job, or several ---
function title(text, kind, reason) {
  el('run-title').textContent = text;
  el('run-title').className = kind;
  el('run-reason').textContent = reason || '';
}
function attempts(job) {
  const table = make('table');
  fill(table, ['attempt', 'epoch', 'workers', 'started', 'ended', 'as', 'last words'],
       (job.attempts || []).map(a => ({ key: String(a.number), cells: [cell(a.number),
         cell(a.epoch), cell((a.workers || []).join(', ')), cell(time(a.started)),
         cell(time(a.ended)), cell(a.end_class), cell(a.end_message, 'text')] })),
       'no attempt yet');
  return table;
}
async function showJob(id) {
  const { job } = await get('/api/job?id=' + id);
  title(job.job_id + '  ' + job.name + '  ' + job.state + '  ' + step(job), job.state, job.reason);
  actionButtons(el('run-actions'), [job], []);
  await showRuns([job.job_id], [attempts(job)]);
}
async function showSeveral(ids) {
  title('Comparison of ' + ids.length + ' jobs', '', 'Lines are moving averages over training ' +
      'steps, dots evaluations on held-out pairs; below a chart, a job\'s last numbers are ' +
      'training · held out. The address of this page shows the same jobs to others.');
  const answered = await showRuns(ids, []);
  actionButtons(el('run-actions'), answered.map(job => ({ ...job, name: job.label })), []);
}

async function show(hash) {
  const view = hash === 'cache' ? 'cache' : hash ? 'run' : 'all';
  for (const each of ['run', 'cache', 'all']) el('view-' + each).hidden = each !== view;
  for (const [id, current] of [['to-jobs', view !== 'cache'], ['to-cache', view === 'cache']]) {
    if (current) el(id).setAttribute('aria-current', 'page');
    else el(id).removeAttribute('aria-current');
  }
  if (view !== 'run') leave();
  if (view === 'cache') return showCache();
  if (view === 'all') return showAll();
  const several = hash.startsWith('compare=') ? hash.slice(8).split(',').filter(Boolean) : [];
  try {
    if (several.length) await showSeveral(several); else await showJob(hash);
  } catch (error) {  // no such job; the rest of the page still works
    if (!error.status) throw error;
    leave();
    title(error.message, 'FAILED', '');
    actionButtons(el('run-actions'), [], []);
  }
}
el('confirm-no').addEventListener('click', () => el('confirm').close('no'));
el('confirm-yes').addEventListener('click', () => el('confirm').close('yes'));
let running = Promise.resolve();
async function refreshNow() {
  try {
    [facts, { jobs = [] }] = await Promise.all([get('/api/page'), get('/api/jobs')]);
    el('to-cache').hidden = !facts.cache;
    showToken();
    await show(location.hash.slice(1));
    el('age').textContent = 'as of ' + new Date().toLocaleTimeString();
  } catch (error) {
    el('age').textContent = 'not reachable: ' + error.message;
  }
}
// One after the other, so that no older answer is shown after a newer one.
function refresh() {
  running = running.then(refreshNow);
  return running;
}
addEventListener('hashchange', refresh);
refresh();
let waits = false;
setInterval(async () => {
  if (waits || document.hidden) return;
  waits = true;
  await refresh();
  waits = false;
}, 2000);
