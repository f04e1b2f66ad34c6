#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/metrics.h"
#include "tests/support/fake_cache_link.h"
#include "tests/support/process_fixture.h"
#include "tests/support/temp_folder.h"
#include "worker/agent/core/attempt.h"
#include "worker/agent/core/outbox.h"
#include "worker/agent/core/process_journal.h"
#include "worker/agent/core/record_store.h"

namespace fpo::testing {

// The parts of an agent in a folder of their own, with the fake trainer and a fake cache.
struct AgentParts {
  TempFolder work;
  MetricsRegistry registry;
  agent::AgentMetrics metrics{&registry};
  std::unique_ptr<agent::ProcessJournal> journal = *agent::ProcessJournal::Open(work.path());
  agent::Spawner spawner;
  FakeCacheLink cache;
  agent::RecordStore records{{.folder = work / "records"}, &cache};
  agent::Outbox outbox{{.folder = work / "spool", .spool = {}}, &metrics};

  agent::AttemptServices Services() {
    return {.spawner = &spawner,
            .journal = journal.get(),
            .cache = &cache,
            .records = &records,
            .outbox = &outbox,
            .metrics = &metrics};
  }
  agent::AttemptOptions Options() {
    agent::AttemptOptions options;
    options.work_dir = work.path();
    options.worker_id = "w1";
    options.trainer.path = FPO_FAKE_TRAINER;
    options.disk_reserve_bytes = 0;
    options.reference.backoff = {.first = absl::Milliseconds(1), .most = absl::Milliseconds(5)};
    options.reference.patience = absl::Milliseconds(500);
    return options;
  }
};

}  // namespace fpo::testing
