#include "coordinator/rpc/provision_runner.h"

#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/process/program_run.h"
#include "coordinator/core/provision/command_engine.h"

namespace fpo::coordinator {
namespace {

constexpr absl::Duration kOrderLook = absl::Milliseconds(200);

ProgramRunner RunnerUnless(const std::atomic<bool>* stopping) {
  return [stopping](ProgramRun run) {
    run.is_stopped = [stopping] { return stopping->load(); };
    return RunProgram(run);
  };
}

}  // namespace

ProvisionRunner::ProvisionRunner(const ProvisionPool& pool, const Dependencies& dependencies)
    : pool_(pool.name),
      dependencies_(dependencies),
      engine_(MakeEngine(pool, RunnerUnless(&stopping_))) {}

void ProvisionRunner::Start() {
  ticker_.emplace(kOrderLook, [this](absl::Time) { Turn(); });
}

void ProvisionRunner::Stop() {
  stopping_ = true;
  if (ticker_) ticker_->Stop();
}

void ProvisionRunner::Turn() {
  while (!stopping_) {
    const auto order = dependencies_.provisioner->NextOrder(pool_, Now());
    if (!order) return;
    CarryOut(*order);
  }
}

void ProvisionRunner::CarryOut(const ProvisionOrder& order) {
  Provisioner& provisioner = *dependencies_.provisioner;
  const std::string& id = order.request.id;
  switch (order.kind) {
    case ProvisionOrder::Kind::kAsk: {
      const absl::StatusOr<std::string> reference = engine_->Ask(order.request);
      if (stopping_ && !reference.ok()) return;  // the next process finds out
      provisioner.OnAsked(id, reference, Now());
      return Note(order, reference.status(),
                  absl::StrCat("asked pool ", pool_, " for ", order.request.workers, " workers",
                               reference.ok() ? absl::StrCat(", request ", *reference) : ""));
    }
    case ProvisionOrder::Kind::kCallOff: {
      const absl::Status status = engine_->CallOff(order.request);
      if (stopping_ && !status.ok()) return;
      provisioner.OnCalledOff(id, status, Now());
      return Note(order, status,
                  absl::StrCat("called off request ", order.request.reference, " of pool ", pool_));
    }
    case ProvisionOrder::Kind::kLook: {
      const absl::StatusOr<AllocationState> state = engine_->Look(order.request);
      if (!stopping_ || state.ok()) provisioner.OnLooked(id, state, Now());
      return;
    }
  }
}

void ProvisionRunner::Note(const ProvisionOrder& order, const absl::Status& status,
                           const std::string& detail) {
  AuditEntry entry;
  entry.time = dependencies_.wall->Now();
  entry.who = "coordinator";
  entry.method = order.kind == ProvisionOrder::Kind::kAsk ? "AskForWorkers" : "CallWorkersOff";
  entry.target = order.request.job_id;
  entry.result = absl::StatusCodeToString(status.code());
  entry.detail = status.ok() ? detail : absl::StrCat(detail, ": ", status.message());
  entry.request_id = order.request.id;
  dependencies_.audit->Add(std::move(entry));
}

void ShowProvisioning(MetricsRegistry* registry, const Provisioner* provisioner) {
  using Series = std::pair<std::string, std::string>;  // pool, label
  auto workers = std::make_shared<std::map<Series, Gauge>>();
  auto requests = std::make_shared<std::map<Series, Counter>>();
  for (const ProvisionPool& pool : provisioner->pools()) {
    for (const char* state : {"coming", "here"}) {
      (*workers)[{pool.name, state}] = registry->AddGauge(
          "fpo_provision_workers", "Workers that were asked for: on their way, connected.",
          {{"pool", pool.name}, {"state", state}});
    }
    for (const char* result : {"asked", "served", "failed", "called_off"}) {
      (*requests)[{pool.name, result}] = registry->AddCounter(
          "fpo_provision_requests_total", "Requests for workers: asked, and what became of them.",
          {{"pool", pool.name}, {"result", result}});
    }
  }
  registry->OnScrape([=] {
    for (const auto& [pool, counts] : provisioner->Counts()) {
      (*workers)[{pool, "coming"}].Set(static_cast<double>(counts.workers_coming));
      (*workers)[{pool, "here"}].Set(static_cast<double>(counts.workers_here));
      for (const auto& [result, count] : counts.requests) {
        const Counter& counter = (*requests)[{pool, result}];
        counter.Add(static_cast<double>(count) - counter.Value());
      }
    }
  });
}

}  // namespace fpo::coordinator
