#include "common/observe/metrics.h"

#include <stdexcept>

#include "gmock/gmock.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Metrics, WritesEachKind) {
  MetricsRegistry registry;
  registry.AddCounter("fpo_things_total", "Things.", {{"kind", "a"}}).Add(2);
  registry.AddGauge("fpo_level", "Level.").Set(-1.5);
  const Histogram histogram = registry.AddHistogram("fpo_wait_seconds", "Wait.");
  histogram.Observe(0.02);
  AddBuildInfo(&registry, "1.2", "abc");
  const std::string text = registry.Text();
  for (const char* line :
       {"# TYPE fpo_things_total counter", "fpo_things_total{kind=\"a\"} 2", "fpo_level -1.5",
        "fpo_wait_seconds_bucket{le=\"0.01\"} 0", "fpo_wait_seconds_bucket{le=\"0.03\"} 1",
        "fpo_wait_seconds_count 1", "fpo_build_info{commit=\"abc\",version=\"1.2\"} 1"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, TheSameNameAndLabelsAreOneSeries) {
  MetricsRegistry registry;
  registry.AddCounter("fpo_x_total", "X.", {{"k", "v"}}).Add();
  registry.AddCounter("fpo_x_total", "X.", {{"k", "v"}}).Add();
  EXPECT_EQ(registry.AddCounter("fpo_x_total", "X.", {{"k", "v"}}).Value(), 2);
  EXPECT_EQ(registry.AddCounter("fpo_x_total", "X.", {{"k", "w"}}).Value(), 0);
}

TEST(Metrics, ARemovedGaugeIsGone) {
  MetricsRegistry registry;
  const Gauge gauge = registry.AddGauge("fpo_job_step", "Step.", {{"job", "j1"}});
  gauge.Set(3);
  registry.AddGauge("fpo_job_step", "Step.", {{"job", "j2"}}).Set(4);
  registry.Remove("fpo_job_step", gauge);
  EXPECT_THAT(registry.Text(), Not(HasSubstr("j1")));
  EXPECT_THAT(registry.Text(), HasSubstr("j2"));
}

TEST(Metrics, ADeclaredNameIsKnownWithoutASeries) {
  MetricsRegistry registry;
  registry.DeclareGauge("fpo_job_step", "Step.");
  EXPECT_EQ(registry.Text(), "# HELP fpo_job_step Step.\n# TYPE fpo_job_step gauge\n");
  const Gauge gauge = registry.AddGauge("fpo_job_step", "Step.", {{"job", "j1"}});
  const std::string text = registry.Text();
  EXPECT_EQ(text.find("# TYPE"), text.rfind("# TYPE")) << text;
  registry.Remove("fpo_job_step", gauge);
  EXPECT_THAT(registry.Text(), HasSubstr("# TYPE fpo_job_step gauge"));
}

TEST(Metrics, RefreshesBeforeEachExposition) {
  MetricsRegistry registry;
  const Gauge gauge = registry.AddGauge("fpo_age_seconds", "Age.");
  int scrapes = 0;
  registry.OnScrape([&] { gauge.Set(++scrapes); });
  EXPECT_THAT(registry.Text(), HasSubstr("fpo_age_seconds 1"));
  EXPECT_THAT(registry.Text(), HasSubstr("fpo_age_seconds 2"));
}

TEST(Metrics, NumbersOfASourceAreReadAtEachScrape) {
  MetricsRegistry registry;
  double bytes = 1;
  ShowNumbers(&registry, "fpo_store_", "A number.", [&] { return NamedNumbers{{"bytes", bytes}}; });
  bytes = 5;
  EXPECT_THAT(registry.Text(), HasSubstr("fpo_store_bytes 5"));
}

TEST(Metrics, AMalformedNameFailsAtStart) {
  MetricsRegistry registry;
  EXPECT_THROW(registry.AddGauge("not a name", "Help."), std::invalid_argument);
}

TEST(Metrics, HandlesWithoutARegistryDoNothing) {
  Counter().Add();
  Gauge().Set(1);
  Histogram().Observe(1);
  EXPECT_EQ(Counter().Value(), 0);
}

TEST(Metrics, RoutesSayWhyAProgramIsNotReady) {
  MetricsRegistry registry;
  const HttpRoutes routes = ObservationRoutes(
      &registry, [] { return absl::OkStatus(); },
      [] { return absl::ResourceExhaustedError("disk full"); });
  EXPECT_EQ(routes.at("/healthz")().status, 200);
  const HttpReply ready = routes.at("/readyz")();
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.body, "disk full\n");
  EXPECT_THAT(routes.at("/metrics")().content_type, HasSubstr("version=0.0.4"));
}

}  // namespace
}  // namespace fpo
