#pragma once

namespace fpo::train {

// SIGTERM, SIGINT and SIGUSR1, with which Slurm warns of a time limit, ask for a stop at the next
// step boundary instead of ending the process; a second SIGINT ends it. SIGPIPE is ignored.
// Process-wide, as signals are.
void InstallStopSignals();

bool StopRequested();
void RequestStop();       // the agent's `stop` command
void ClearStopRequest();  // for tests, which run many trainings in one process

}  // namespace fpo::train
