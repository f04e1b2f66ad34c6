#pragma once

namespace fpo::train {

// Settings of the host's threads and memory that make steps faster and change no number. Each
// leaves alone what the environment sets itself. Call from main, before threads start.

// libgomp reads its settings when it is loaded, before main. By default, idle threads spin for
// milliseconds after every parallel region, which multiplies step times as soon as another process
// needs the cores; this sets GOMP_SPINCOUNT to about ten microseconds and executes the program
// again with `argv`.
void LimitSpinning(char** argv);

// By default, malloc gives every large block back to the system when it is freed, and the next step
// pays for fresh pages: 8 % of a step of the benchmark. This keeps up to 256 MiB of freed memory at
// the heap's end, and blocks of up to 1 GiB in the heap. Does nothing beside another allocator
// (LD_PRELOAD).
void KeepFreedMemory();

}  // namespace fpo::train
