// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace drumbeat::node_host {

/// Work that runs again soon after each Wake(): at least one whole pass begins after it.
/// Thread-safety: Wake() from any thread, also from inside the pass and after Stop(). Stop() and
/// the destructor must not be called from inside it.
class Task {
 public:
  /// Stops it.
  virtual ~Task() = default;
  virtual void Wake() = 0;
  /// Waits for a running pass; none begins afterwards. Idempotent.
  virtual void Stop() = 0;
};

/// Where a host's work runs: each task on a thread of its own in a process, all tasks on one event
/// queue under virtual time in a simulation. The host has no other source of threads or time.
class Scheduler {
 public:
  virtual ~Scheduler() = default;

  /// Runs `pass` after each Wake(). Passes of one task never overlap.
  virtual std::unique_ptr<Task> Start(std::string name, std::function<void()> pass) = 0;
  /// Runs `pass` every `period`, from one period from now on; what was missed is not made up for.
  virtual std::unique_ptr<Task> Every(std::string name, std::chrono::milliseconds period,
                                      std::function<void()> pass) = 0;
  /// Blocks until `done` says so, while tasks go on. Not from inside a task.
  virtual void Await(const std::function<bool()>& done) = 0;
  /// Whether the calling thread is one that runs tasks of this scheduler: it must not wait for
  /// them.
  virtual bool OnTaskThread() const = 0;
  /// Steady time, for measuring only.
  virtual std::chrono::steady_clock::time_point Now() const = 0;
  /// Wall-clock time in nanoseconds since 1970; it decides nothing.
  virtual std::uint64_t UnixNanoseconds() const = 0;
};

/// Real threads with all signals blocked. Tasks must be stopped before it is destroyed.
std::unique_ptr<Scheduler> MakeThreadScheduler();

}  // namespace drumbeat::node_host
