// Draws the figures of a page. Texts enter it only through textContent. A page that has its data
// inside is drawn at once; one that is served calls window.fpoCharts.
window.fpoCharts = (() => {
const { Dygraph } = window;
let xs = [], figures = [], runs = [];
let compares = false;  // there are several runs
const hiddenRuns = new Set();
const charts = [];
// Of the steps' figures: 'step', 'seconds', 'pairs', or the name of a metric.
let axis = 'step';
let smooth = true;      // moving averages in front of the points, or in place of them
let logScale = false;   // where all values are above 0

function make(tag, text, kind) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}
const colourOf = name =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
function faint(hex, opacity) {
  const parts = [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
  return 'rgba(' + parts.join(',') + ',' + opacity + ')';
}

// --- numbers and times, as in the tables ---
function short(v) {
  const size = Math.abs(v);
  const suffixes = [[1e12, 1e12, 'T'], [1e9, 1e9, 'G'], [1e6, 1e6, 'M'], [1e4, 1e3, 'k']];
  for (const [from, by, unit] of suffixes) {
    if (size >= from) return Number((v / by).toPrecision(3)) + unit;
  }
  if (size && size < 1e-3) return Number(v.toPrecision(3)).toExponential();
  return String(Number(v.toPrecision(4)));
}
function time(seconds) {
  if (seconds < 120) return Number(seconds.toPrecision(3)) + ' s';
  if (seconds < 7200) return Number((seconds / 60).toPrecision(3)) + ' min';
  return Number((seconds / 3600).toPrecision(3)) + ' h';
}

// --- the horizontal axis ---
const heldOut = name => name.startsWith('eval_');
const bare = name => heldOut(name) ? name.slice(5) : name;
const isSteps = figure => figure.x_label === 'step';
// The points of a metric of a run by step, its moving average where there is one.
const byMetric = new Map();
function load(data) {
  ({ xs, figures } = data.charts);
  runs = data.runs;
  compares = runs.length > 1;
  byMetric.clear();
  for (const figure of figures) {
    for (const s of figure.series) {
      if (!s.metric) continue;
      const x = s.mean_y ? xs[s.mean_x] : xs[s.x], y = s.mean_y || s.y;
      byMetric.set(s.run + ' ' + s.metric, new Map(x.map((step, i) => [step, y[i]])));
    }
  }
}
// What a run had spent, of 'seconds' or 'pairs', at a step.
function spentAt(run, what, step) {
  const [steps, spent] = runs[run][what];
  if (!steps.length) return undefined;
  let low = 0, high = steps.length;  // the first step that is not before it
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < step) low = middle + 1; else high = middle;
  }
  if (low === steps.length) return spent[low - 1];
  const [s0, t0] = low ? [steps[low - 1], spent[low - 1]] : [0, 0];
  return t0 + (spent[low] - t0) * (step - s0) / (steps[low] - s0 || 1);
}
// What a step of a series stands at on the axis; undefined where that is not known.
function place(figure, s, step) {
  if (axis === 'step' || !isSteps(figure)) return step;
  if (axis === 'seconds' || axis === 'pairs') return spentAt(s.run, axis, step);
  const by = byMetric.get(s.run + ' ' + (heldOut(s.metric || '') ? 'eval_' : '') + axis);
  return by ? by.get(step) : undefined;
}
const isPath = figure => ['step', 'seconds', 'pairs'].includes(axis) || !isSteps(figure);
const axisLabel = figure =>
    !isSteps(figure) ? figure.x_label : axis === 'seconds' ? 'time in training' : axis;

// --- one figure ---
// Columns as drawn: a series is one, or two with its moving average, its points then being faint.
function columnsOf(figure) {
  const columns = [];
  figure.series.forEach((s, index) => {
    const add = (x, y, kind) => {
      const points = [];
      x.forEach((step, i) => {
        const at = place(figure, s, step);
        if (at !== undefined) points.push([at, y[i]]);
      });
      points.sort((a, b) => a[0] - b[0]);
      columns.push({ index, series: s, points, kind });
    };
    const path = isPath(figure), averages = s.mean_y && (smooth || !path);
    if (!averages || (path && !compares)) add(xs[s.x], s.y, averages ? 'faint' : s.style);
    if (averages) add(xs[s.mean_x], s.mean_y, s.style === 'dashed' ? 'dashed' : 'line');
  });
  return columns;
}
// Rows [x, y of each column or null], by x; a column may have several points at one x.
function rowsOf(columns) {
  const all = [];
  columns.forEach((column, c) => { for (const [x, y] of column.points) all.push([x, c, y]); });
  all.sort((a, b) => a[0] - b[0]);
  const rows = [];
  for (const [x, c, y] of all) {
    let row = rows[rows.length - 1];
    if (!row || row[0] !== x || row[c + 1] !== null) {
      row = [x, ...columns.map(() => null)];
      rows.push(row);
    }
    row[c + 1] = y;
  }
  return rows;
}
// A line through two or three evaluations would show a way that nobody has measured.
function widthOf({ kind, points }) {
  if (kind === 'marked') return points.length < 4 ? 0 : 1;
  return kind === 'faint' ? 1 : 2;
}
function optionsOf(chart) {
  const { figure, columns } = chart;
  const series = {}, colors = [];
  columns.forEach((column, c) => {
    const colour = colourOf('--c' + column.series.colour);
    const points = column.kind === 'points' || !isPath(figure);
    const cloud = points && column.points.length > 60;
    colors.push(column.kind === 'faint' ? faint(colour, 0.3) : cloud ? faint(colour, 0.5) : colour);
    series['y' + c] = {
      strokeWidth: points ? 0 : widthOf(column),
      strokePattern: column.kind === 'dashed' ? [7, 4] : null,
      drawPoints: points || column.kind === 'marked' || column.points.length === 1,
      pointSize: cloud ? 2 : 3.5,
      highlightCircleSize: 4,
    };
  });
  return { series, colors, axisLineColor: colourOf('--rule'), gridLineColor: colourOf('--rule') };
}
const isShown = (chart, column) =>
    !chart.hidden.has(column.index) && !hiddenRuns.has(column.series.run);
const visibility = chart => chart.columns.map(column => isShown(chart, column));

// The last point of a series at or before x, or its last.
function reading(column, x) {
  const { points } = column;
  if (!points.length) return undefined;
  if (x === undefined) return points[points.length - 1][1];
  let low = 0, high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= x) low = middle + 1; else high = middle;
  }
  return low ? points[low - 1][1] : undefined;
}
function xText(chart, x) {
  const known = { step: () => 'step ' + x.toLocaleString('en'), seconds: () => 'at ' + time(x),
    pairs: () => x.toLocaleString('en') + ' pairs' };
  return isSteps(chart.figure) && known[axis] ? known[axis]() : 'at ' + short(x);
}
// What a series says: its values at x, or at its end; of a cloud without x, how many points it has.
function seriesText(chart, index, x, unit) {
  const own = chart.columns.filter(column => column.index === index);
  const isCloud = x === undefined && own.length && own[0].kind === 'points';
  if (isCloud) return own[0].points.length.toLocaleString('en');
  const values = own.map(column => reading(column, x)).filter(v => v !== undefined);
  return values.length ? values.map(short).join(', mean ') + unit : '–';
}
function showReadings(chart, x) {
  const unit = chart.figure.unit && !compares ? ' ' + chart.figure.unit : '';
  for (const { button, indexes, run } of chart.groups) {
    const texts = indexes.map(index => seriesText(chart, index, x, unit));
    button.querySelector('b').textContent = texts.join(' · ');
    const isEmpty = !chart.columns.some(c => indexes.includes(c.index) && c.points.length);
    button.hidden = isEmpty || hiddenRuns.has(run);
  }
  chart.at.textContent = x === undefined ? '' : xText(chart, x);
  chart.reset.hidden = !chart.graph.isZoomed() || x !== undefined;
}

function underlay(chart, context, area, graph) {
  if (chart.figure.reference === null) return;
  const y = graph.toDomYCoord(chart.figure.reference);
  if (!(y >= area.y && y <= area.y + area.h)) return;
  context.save();
  context.strokeStyle = colourOf('--soft');
  context.setLineDash([4, 4]);
  context.beginPath();
  context.moveTo(area.x, y);
  context.lineTo(area.x + area.w, y);
  context.stroke();
  context.restore();
}

// A zoom along the steps is one of all figures that have them.
let zooming = false;
function together(chart, act) {
  if (zooming || !isSteps(chart.figure)) return;
  zooming = true;
  for (const other of charts) if (other !== chart && isSteps(other.figure)) act(other.graph);
  zooming = false;
}
function zoomed(chart, low, high) {
  together(chart, graph => {
    if (chart.graph.isZoomed('x')) graph.updateOptions({ dateWindow: [low, high] });
    else graph.resetZoom();
  });
  for (const each of charts) showReadings(each);
}

// One finger scrolls the page, two zoom; a tap reads, as the mouse does.
function interaction() {
  const usual = Dygraph.defaultInteractionModel;
  const two = act => (event, graph, context) => {
    if (event.touches.length > 1) act(event, graph, context);
  };
  const touchend = (event, graph, context) => {
    if (context.initialTouches) usual.touchend(event, graph, context);
  };
  const touchstart = two(usual.touchstart), touchmove = two(usual.touchmove);
  return { ...usual, touchstart, touchmove, touchend };
}

function select(chart, by) {
  const rows = chart.graph.numRows();
  const current = chart.graph.getSelection();
  const begin = by > 0 ? -1 : rows;
  let row = (current < 0 ? begin : current) + by;
  row = Math.max(0, Math.min(rows - 1, row));
  chart.graph.setSelection(row);
  showReadings(chart, chart.graph.getValue(row, 0));
}
function zoomBy(chart, factor) {
  const { graph } = chart;
  const [low, high] = graph.xAxisRange(), [least, most] = graph.xAxisExtremes();
  const row = graph.getSelection();
  const centre = row >= 0 ? graph.getValue(row, 0) : (low + high) / 2;
  const next = [Math.max(least, centre - (centre - low) * factor),
    Math.min(most, centre + (high - centre) * factor)];
  if (next[0] <= least && next[1] >= most) graph.resetZoom();
  else graph.updateOptions({ dateWindow: next });
  zoomed(chart, ...next);
}
function unzoom(chart) {
  chart.graph.resetZoom();
  chart.graph.clearSelection();
  zoomed(chart);
}
function keyboard(chart, event) {
  const acts = {
    ArrowRight: () => select(chart, event.shiftKey ? 10 : 1),
    ArrowLeft: () => select(chart, event.shiftKey ? -10 : -1),
    '+': () => zoomBy(chart, 0.5), '=': () => zoomBy(chart, 0.5), '-': () => zoomBy(chart, 2),
    Escape: () => unzoom(chart), 0: () => unzoom(chart),
  };
  const act = acts[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
}

const isPositive = columns => columns.every(column => column.points.every(p => p[1] > 0));

// `keeps`: where the reader has zoomed to.
function draw(chart, keeps = false) {
  const { figure } = chart;
  chart.columns = columnsOf(figure);
  const rows = rowsOf(chart.columns);
  chart.plot.hidden = !rows.length;
  const dateWindow = keeps && chart.graph?.isZoomed('x') ? chart.graph.xAxisRange() : null;
  const isLog = logScale && isPositive(chart.columns);
  chart.graph?.destroy();
  const xNumber = isSteps(figure) && axis === 'seconds' ? time : short;
  if (!rows.length) rows.push([0, ...chart.columns.map(() => null)]);
  chart.graph = new Dygraph(chart.plot, rows, {
    ...optionsOf(chart),
    labels: ['x', ...chart.columns.map((_, c) => 'y' + c)],
    visibility: visibility(chart),
    legend: 'never', connectSeparatedPoints: true, animatedZooms: false,
    dateWindow, logscale: isLog, includeZero: figure.from_zero && !isLog, xRangePad: 8, yRangePad: 10, axisLabelFontSize: 12,
    xlabel: axis === 'step' && isSteps(figure) ? '' : axisLabel(figure), xLabelHeight: 16,
    interactionModel: interaction(),
    axes: {
      x: { axisLabelFormatter: xNumber, pixelsPerLabel: 42, drawGrid: false },
      y: { axisLabelFormatter: short, axisLabelWidth: 46, pixelsPerLabel: 34 },
    },
    underlayCallback: (context, area, graph) => underlay(chart, context, area, graph),
    // Where every shown series has a gap there is a row, and no x.
    highlightCallback: (_event, x, _points, row) =>
        showReadings(chart, x ?? chart.graph.getValue(row, 0)),
    unhighlightCallback: () => showReadings(chart),
    zoomCallback: (low, high) => zoomed(chart, low, high),
  });
  showReadings(chart);
}

// What one button below a figure stands for: a series; on a page of several runs, all of one run.
function groupsOf(figure) {
  const groups = [];
  figure.series.forEach((s, index) => {
    const ofRun = compares && s.run >= 0;
    const same = ofRun && groups.find(group => group.run === s.run);
    if (same) {
      same.indexes.push(index);
      return;
    }
    const button = make('button');
    button.type = 'button';
    button.title = 'Hide or show';
    button.setAttribute('aria-pressed', 'true');
    const label = ofRun ? runs[s.run].name : s.label;
    button.append(make('i', '', 'c' + s.colour + ' ' + s.style), label + ' ', make('b'));
    groups.push({ button, indexes: [index], run: s.run });
  });
  return groups;
}
function toggle(chart, { button, indexes }) {
  const hides = !chart.hidden.has(indexes[0]);
  for (const index of indexes) {
    if (hides) chart.hidden.add(index); else chart.hidden.delete(index);
  }
  button.setAttribute('aria-pressed', String(!hides));
  chart.graph.updateOptions({ visibility: visibility(chart) });
}

function build(element) {
  const index = Number(element.dataset.figure), figure = figures[index];
  const numbers = element.querySelector('.numbers');
  numbers.open = false;
  const chart = { element, index, figure, hidden: new Set(), plot: make('div', '', 'plot'),
    at: make('span', '', 'at'), reset: make('button', 'Reset zoom', 'reset'), graph: null,
    columns: [] };
  chart.plot.tabIndex = 0;
  chart.plot.setAttribute('role', 'img');
  chart.plot.setAttribute('aria-label', figure.title + ': chart. Arrow keys read points, ' +
      'plus and minus zoom, Escape resets; its numbers are in the table below');
  chart.plot.addEventListener('keydown', event => keyboard(chart, event));
  chart.plot.addEventListener('blur', () => { chart.graph.clearSelection(); showReadings(chart); });
  const readings = make('div', '', 'readings');
  chart.groups = groupsOf(figure);
  for (const group of chart.groups) {
    readings.append(group.button);
    group.button.addEventListener('click', () => toggle(chart, group));
  }
  chart.reset.type = 'button';
  chart.reset.addEventListener('click', () => unzoom(chart));
  readings.append(chart.reset, chart.at);
  element.insertBefore(chart.plot, numbers);
  element.insertBefore(readings, numbers);
  charts.push(chart);
  draw(chart);
  // The library looks at the window's size only.
  chart.resizes = new ResizeObserver(() => chart.graph.resize());
  chart.resizes.observe(chart.plot);
}

// --- what a reader chooses for all figures ---
function runSwitch(run, index) {
  const label = make('label'), box = make('input');
  box.type = 'checkbox';
  box.checked = !hiddenRuns.has(index);
  box.addEventListener('change', () => {
    if (box.checked) hiddenRuns.delete(index); else hiddenRuns.add(index);
    for (const chart of charts) {
      chart.graph.updateOptions({ visibility: visibility(chart) });
      showReadings(chart);
    }
  });
  label.append(box, make('i', '', 'c' + index % 12), run.name);
  return label;
}
function axisChoice() {
  const label = make('label', 'Horizontal axis '), choice = make('select');
  const add = (value, text) => {
    const option = make('option', text);
    option.value = value;
    choice.append(option);
  };
  add('step', 'step');
  for (const [what, text] of [['seconds', 'time in training'], ['pairs', 'pairs']]) {
    if (runs.some(run => run[what][0].length)) add(what, text);
  }
  const metrics = new Set([...byMetric.keys()].map(key => bare(key.slice(key.indexOf(' ') + 1))));
  const divergences = [['kl/chosen', 'KL, chosen'], ['divergence/chosen', 'divergence, chosen'],
    ['divergence/relative', 'relative feature distance']];
  for (const [name, text] of divergences) {
    if (metrics.has(name)) add(name, text);
  }
  choice.value = axis;
  if (choice.selectedIndex < 0) choice.value = axis = 'step';
  choice.addEventListener('change', () => {
    axis = choice.value;
    for (const chart of charts) if (isSteps(chart.figure)) draw(chart);
  });
  label.append(choice);
  return label;
}
function switchOf(text, value, set) {
  const label = make('label'), box = make('input');
  box.type = 'checkbox';
  box.checked = value;
  box.addEventListener('change', () => {
    set(box.checked);
    for (const chart of charts) draw(chart, true);
  });
  label.append(box, text);
  return label;
}
const smoothSwitch = () => switchOf('smooth', smooth, on => { smooth = on; });
function logSwitch() {
  const label = switchOf('log scale', logScale, on => { logScale = on; });
  label.title = 'of charts whose values are all above 0';
  return label;
}

// --- for pages ---
// Draws every figure of the page anew.
function start(data) {
  stop();
  load(data);
  document.querySelectorAll('figure[data-figure]').forEach(build);
  const controls = document.getElementById('controls');
  if (!controls) return;
  const smoothed = figures.some(figure => figure.series.some(s => s.mean_y));
  controls.replaceChildren(...(compares ? [...runs.map(runSwitch), axisChoice()] : []),
                           ...(smoothed ? [smoothSwitch()] : []), ...(figures.length ? [logSwitch()] : []));
}
function stop() {
  for (const chart of charts) {
    chart.resizes.disconnect();
    chart.graph.destroy();
    for (const part of [chart.plot, chart.plot.nextElementSibling]) part.remove();
  }
  charts.length = 0;
}
// Takes newer numbers of the same figures and runs; false: they are others, so draw them anew.
const shapeOf = data => JSON.stringify([data.runs.map(run => run.name),
  data.charts.figures.map(f => [f.title, f.series.map(s => [s.label, s.run, !!s.mean_y])])]);
function update(data) {
  if (shapeOf(data) !== shapeOf({ runs, charts: { figures } })) return false;
  load(data);
  for (const chart of charts) {
    chart.figure = figures[chart.index];
    draw(chart, true);
  }
  return true;
}

const inside = document.getElementById('page-data');
if (inside) start(JSON.parse(inside.textContent));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const chart of charts) chart.graph.updateOptions(optionsOf(chart));
});
return { start, stop, update, forget: () => hiddenRuns.clear() };
})();
