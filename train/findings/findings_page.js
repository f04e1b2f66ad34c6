// Everything from the data becomes a text node: nothing of it is read as HTML.
const found = JSON.parse(document.getElementById('findings').textContent);

function element(name, options = {}, ...children) {
  const made = document.createElement(name);
  Object.assign(made, options);
  made.append(...children);
  return made;
}
const at = (id) => document.getElementById(id);
const say = (id, text) => { at(id).textContent = text; };
const count = (number) => number.toLocaleString('en');
const percent = (share) => (100 * share).toFixed(1) + ' %';
const signed = (value) => (value < 0 ? '\u2212' : '+') + Math.abs(value).toFixed(2);
const rate = (value) => (value < 1e-99 ? '0' : value.toExponential(1).replace('-', '\u2212'));
const place = (pair) =>
    (pair.data === 'eval' ? 'evaluation row ' : 'row ') + pair.row + (pair.id ? ' \u00b7 ' + pair.id : '');

function textBox(kind, text) {
  return element('div', {className: 'text ' + kind}, element('b', {}, kind), text);
}

// A pair that opens on demand.
function pairDetails(summary, pairs) {
  const details = element('details', {}, element('summary', {}, ...summary));
  details.addEventListener('toggle', () => {
    if (!details.open || details.querySelector('.pair')) return;
    for (const pair of pairs) {
      if (pairs.length > 1) details.append(element('small', {}, place(pair)));
      details.append(element('div', {className: 'pair'}, textBox('prompt', pair.prompt),
          textBox('chosen', pair.chosen), textBox('rejected', pair.rejected)));
    }
  });
  return details;
}

function card(label, value, note) {
  at('cards').append(element('div', {className: 'card'}, element('span', {}, label),
      element('b', {}, value), element('small', {}, note)));
}

function showLabels(labels) {
  if (labels.unchecked) {
    say('labels-note', 'Not checked: ' + labels.unchecked);
    return;
  }
  card('Labels that agree', percent(labels.agreement), 'with the records; 50 % is chance');
  card('Swapped labels found', percent(labels.self_check.found_in_first_tenth),
      `of ${count(labels.self_check.flipped)} swapped on purpose, in the most suspect tenth`);
  say('labels-note', 'Each label was predicted from the records of the other pairs. The list begins with ' +
      'those that contradict the prediction most; read them before you believe it.');
  for (const pair of labels.suspects) {
    at('labels').append(pairDetails([element('b', {}, percent(pair.right)), ' right \u00b7 ' + place(pair) + ' ',
      element('small', {}, `reference margin ${signed(pair.reference_margin)} nats a token, ` +
          `${pair['tokens/chosen']} and ${pair['tokens/rejected']} tokens`)], [pair]));
  }
}

function featureRow(feature, most) {
  const effect = feature.effect_at_equal_length;
  const bar = element('i', {className: effect < 0 ? 'less' : ''});
  bar.style.width = Math.round(100 * Math.abs(effect) / most) + '%';
  const cells = [feature.name, percent(feature.share), signed(feature.effect), signed(effect),
    rate(feature.q_at_equal_length)].map((text) => element('td', {}, text));
  return element('tr', {}, ...cells, element('td', {className: 'bar'}, bar));
}

function showSpans(feature) {
  const figure = element('figure', {}, element('figcaption', {}, feature.name + ', ' +
      (feature.effect_at_equal_length < 0 ? 'less' : 'more') + ' in chosen responses'));
  for (const span of feature.spans) {
    figure.append(element('blockquote', {}, '\u2026' + span.before, element('mark', {}, span.strong),
        span.after + '\u2026', element('small', {}, place(span) + ', ' + span.side)));
  }
  at('spans').append(figure);
}

function showFeatures(features) {
  card('Features that separate', count(features.separating_at_equal_length),
      `of ${count(features.tested)}, at equal length`);
  say('features-note', 'A feature counts where its false discovery rate is below 5 %. "More in chosen": the share of ' +
      'pairs; effect: mean difference over its standard deviation; marked: where the feature is strongest.');
  const rows = features.plain.concat(features.list.slice(0, 30));
  const most = Math.max(1e-9, ...rows.map((feature) => Math.abs(feature.effect_at_equal_length)));
  const names = ['', 'more in chosen', 'effect', 'at equal length', 'false discovery rate', ''];
  at('features').append(element('tr', {}, ...names.map((name) => element('th', {}, name))),
      ...rows.map((feature) => featureRow(feature, most)));
  features.list.filter((feature) => feature.spans).forEach(showSpans);
}

function showNear(id, list, what) {
  for (const near of list) {
    at(id).append(pairDetails([element('b', {}, near.jaccard === 1 ? what : near.jaccard.toFixed(2)),
      ` ${place(near.first)} and ${place(near.second)} `,
      element('small', {}, near.opposite ? 'the other response is chosen' : '')], [near.first, near.second]));
  }
}

say('title', 'Preference data of ' + found.job);
say('intro', `${count(found.train_pairs)} training and ${count(found.eval_pairs)} evaluation pairs, by the records of ` +
    'the reference model. Nothing was trained.');
for (const warning of found.warnings) at('warnings').append(element('p', {className: 'warning'}, warning));
showLabels(found.labels);
showFeatures(found.features);
const {leaks, copies} = found;
card('Leaks', count(leaks.pairs + leaks.near), 'evaluation pairs that are, or are like, a training pair');
card('Contradictions', count(copies.contradictions), 'pairs whose copy chooses the other response');
say('leaks-note', `${count(leaks.pairs)} evaluation pairs are training pairs, ${count(leaks.near)} are like one ` +
    `(Jaccard index of their runs of five tokens at least ${copies.near_threshold}), ` +
    `${count(leaks.prompts)} have the prompt of one.`);
showNear('leaks', leaks.copies, 'the same');
showNear('leaks', leaks.alike, 'the same');
say('copies-note', `${count(copies.repeated)} training pairs repeat an earlier one, ${count(copies.near)} are like an ` +
    `earlier one (${count(copies.near_opposite)} with the other response chosen), ${count(copies.repeated_prompts)} ` +
    'repeat a prompt.');
showNear('copies', copies.contradicting, 'the same');
showNear('copies', copies.alike, 'the same');
