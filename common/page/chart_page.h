#pragma once

#include <string>
#include <vector>

#include "common/page/figure.h"

namespace fpo {

// A heading with what follows it. Texts for people; `html` is put in as it is and may bring its own
// <style> and <script>.
struct PageSection {
  std::string title;
  std::string html = {};
  std::vector<Figure> figures = {};
  std::string if_empty = {};  // said when there is neither; "": the section is then left out
};

// One self-contained page: style, chart library with its licence, data and script are inside, and
// nothing is asked for. Light and dark as the reader's system is.
struct ChartPage {
  std::string title;
  std::string lead_html = {};  // below the title
  std::vector<PageSection> sections = {};
  // Of a page that lays several runs over each other; the reader chooses among them, and what the
  // horizontal axis of the steps' figures means.
  struct Run {
    std::string name;
    CurvePoints seconds;     // (step, time in training so far)
    CurvePoints pairs = {};  // (step, pairs so far)
  };
  std::vector<Run> runs = {};
};

std::string RenderChartPage(const ChartPage& page);

// {"runs": [...], "charts": FiguresJson}: what the page's script draws.
std::string ChartsJson(const std::vector<ChartPage::Run>& runs, const std::vector<Figure>& figures);

// Style and script of such a page, with the library in front, for a page that is served and gets
// its ChartsJson by itself (window.fpoCharts); and the library's licence.
struct ChartFiles {
  std::string style, script, licence;
};
const ChartFiles& ServedChartFiles();

}  // namespace fpo
