// What the cache holds, what it saved, and which jobs share it.
import { bytes, cell, count, duration, el, fill, getAs, link, make, time, token,
  wants } from './page_parts.js';

const hex = base64 => [...atob(base64 || '')]
    .map(c => c.charCodeAt(0).toString(16).padStart(2, '0')).join('');
const shortId = id => id.slice(0, 10);
const many = (n, word) => count(n) + ' ' + word + (Number(n) === 1 ? '' : 's');

function card(title, value, small) {
  const div = make('div', '', 'card');
  div.append(make('span', title), make('b', value), make('small', small));
  return div;
}
const limit = (word, n) => Number(n) ? word + ' above ' + bytes(n) : '';
function cards(s) {
  const limits = [limit('evicts', s.evict_bytes), limit('refuses', s.reject_bytes)]
      .filter(Boolean).join(', ') || 'no limit';
  const asked = Number(s.hits) + Number(s.misses);
  const saved = Number(s.saved_seconds);
  const div = make('div', '', 'cards');
  div.append(
      card('Records', count(s.records), many(s.manifests, 'manifest') + ', ' +
           many(s.recipes, 'recipe')),
      card('Size of records', bytes(s.bytes), limits),
      card('On disk', bytes(s.disk_bytes), bytes(s.free_bytes) + ' free'),
      card('Found', asked ? (100 * Number(s.hits) / asked).toFixed(1) + ' %' : '–',
           asked ? count(s.hits) + ' of ' + count(asked) + ' since its start' :
             'nobody asked since its start'),
      card('Saved', saved ? duration(saved) : '–', saved ? 'of forward passes, since its start' :
        Number(s.hits) ? 'not measured by those who computed them' : 'nothing found since its start'));
  return div;
}
function recipeText(canonical) {
  try {
    const r = JSON.parse(canonical);
    const saes = (r.sae || []).map(s => 'SAE ' + s.digest.slice(0, 8) + ', layer ' + s.layer + ' ' +
        s.site);
    return { model: shortId(r.model_digest || ''),
      what: [r.forward, r.dtype, r.device, ...(saes.length ? saes : ['log-probabilities']),
             saes.length && r.features !== 'all' ? r.features : ''].filter(Boolean).join(', ') };
  } catch {
    return { model: '', what: 'of another version' };
  }
}
function savedText(saved) {
  if (!saved) return '';
  if (!saved.jobs) return 'not measured, ' + many(saved.unmeasured, 'job');
  return duration(saved.seconds) + ', ' + many(saved.jobs, 'job') +
      (saved.unmeasured ? '; ' + saved.unmeasured + ' not measured' : '');
}
function recipesTable({ recipes, uses }) {
  const table = make('table');
  fill(table, ['recipe', 'model', 'records are', 'manifests', 'cost of a record', 'saved'],
       (recipes.recipes || []).map(r => {
         const id = hex(r.recipe_id), text = recipeText(r.recipe);
         const cost = Number(r.seconds_per_record);
         return { key: id, cells: [cell(shortId(id)), cell(text.model, 'id'), cell(text.what, 'text'),
           cell(count(r.manifests)), cell(cost ? duration(cost) : 'not measured'),
           cell(savedText(uses.saved[id]), 'text')] };
       }), 'no recipe yet');
  return table;
}
function jobsCell(use) {
  if (!use) return cell('', 'wraps');
  const owners = [...new Set(use.jobs.map(job => job.owner).filter(Boolean))];
  const details = make('details'), list = make('ul');
  details.append(make('summary', many(use.count, 'job') +
    (owners.length ? ' of ' + owners.join(', ') : '')), list);
  for (const job of use.jobs) {
    const item = make('li');
    item.append(link(job.job_id, job.name || job.job_id), ': ' + count(job.hit) + ' found, ' +
                count(job.computed) + ' computed');
    list.append(item);
  }
  if (use.count > use.jobs.length) {
    list.append(make('li', 'and ' + count(use.count - use.jobs.length) + ' older ones'));
  }
  return cell(details, 'wraps');
}
function pinText(m) {
  if (!m.pinned) return '';
  return m.pinned_until ? 'until ' + time(m.pinned_until) : 'yes';
}
function manifestsTable({ manifests, recipes, uses }) {
  const models = new Map((recipes.recipes || [])
      .map(r => [r.recipe_id, recipeText(r.recipe).model]));
  const table = make('table');
  fill(table, ['manifest', 'name', 'recipe', 'model', 'records', 'size', 'pinned', 'last used',
               'shared by', 'jobs'],
       (manifests.manifests || []).map(m => {
         const id = hex(m.manifest_id);
         const whole = Number(m.present) >= Number(m.total);
         const owners = (m.shares || []).map(s => s.owner + ' (' + s.share + ')').join(', ');
         return { key: id, cells: [cell(shortId(id)), cell(m.name, 'text'),
           cell(shortId(hex(m.recipe_id)), 'id'), cell(models.get(m.recipe_id), 'id'),
           cell(count(m.present) + ' / ' + count(m.total), whole ? 'ready' : 'RUNNING'),
           cell(bytes(m.bytes), 'id'), cell(pinText(m)), cell(time(m.used), 'when'),
           cell(owners || m.owner, 'text'), jobsCell(uses.manifests[id])] };
       }), 'no manifest that you may see');
  return table;
}

const kEveryMs = 10000;  // what a cache lists may be long
let shown = '', asked = 0, askedAs = '';
export async function showCache() {
  if (Date.now() - asked < kEveryMs && askedAs === token()) return;
  asked = Date.now();
  askedAs = token();
  let view = null;
  try {
    view = await getAs('/api/cache');
  } catch (error) {
    shown = '';
    asked = 0;
    wants.token ||= error.status === 401;
    el('cache-parts').replaceChildren(make('p', error.message, 'FAILED'));
    return;
  }
  el('cache-address').textContent = 'at ' + view.address + (view.stats.version ?
    ', version ' + view.stats.version : '');
  const numbers = [cards(view.stats)];
  if (view.stats.read_only) numbers.unshift(make('p', 'It takes no records: ' +
      view.stats.read_only, 'FAILED'));
  const tables = JSON.stringify([view.recipes, view.manifests, view.uses]);
  if (tables === shown) {  // what a reader has opened stays open
    el('cache-parts').firstChild.replaceChildren(...numbers);
    return;
  }
  shown = tables;
  const top = make('div');
  top.append(...numbers);
  const parts = [top, make('h2', 'Recipes'), recipesTable(view), make('h2', 'Manifests')];
  const listed = (view.manifests.manifests || []).length;
  if (view.manifests_count > listed) parts.push(make('p', 'The ' + listed + ' last used of ' +
      count(view.manifests_count) + '.'));
  parts.push(manifestsTable(view));
  const of = view.uses.all ? 'all ' + count(view.uses.seen) + ' jobs that this coordinator keeps' :
      'its newest ' + count(view.uses.seen) + ' jobs';
  parts.push(make('p', 'Jobs and what a recipe saved them: of ' + of + '; jobs of other ' +
      'coordinators are not known here.'));
  el('cache-parts').replaceChildren(...parts);
}
