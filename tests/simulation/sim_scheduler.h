// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "node_host/scheduler.h"
#include "simulation/world.h"

namespace drumbeat::simulation {

/// Runs one host's tasks on the world's events, at its own pace: its clock may be fast or slow, and
/// it may stand still for a while.
class SimScheduler : public node_host::Scheduler {
 public:
  /// `clock_percent`: how long its tick is, of what it should be.
  SimScheduler(World& world, std::uint64_t clock_percent);

  std::unique_ptr<node_host::Task> Start(std::string name, std::function<void()> pass) override;
  std::unique_ptr<node_host::Task> Every(std::string name, std::chrono::milliseconds period,
                                         std::function<void()> pass) override;
  /// Runs this host's own tasks, in no time at all, until `done`.
  /// All run on one thread, and Await() runs them.
  bool OnTaskThread() const override { return false; }
  void Await(const std::function<bool()>& done) override;
  std::chrono::steady_clock::time_point Now() const override;
  std::uint64_t UnixNanoseconds() const override;

  /// Runs what is due of this host's tasks, beside the one that is running.
  void RunOthers();
  /// Nothing of this host runs before then; a time in the past ends a pause.
  void PauseUntil(microseconds then);
  microseconds paused_until() const { return paused_until_; }

 private:
  struct Work;
  class Handle;

  void Schedule(const std::shared_ptr<Work>& work, microseconds delay);
  void Run(const std::shared_ptr<Work>& work);
  void Resume();

  World& world_;
  const std::uint64_t clock_percent_;
  microseconds paused_until_{0};
  std::vector<std::weak_ptr<Work>> all_;
  const Work* running_ = nullptr;
  /// What became due during a pause, in that order.
  std::vector<std::shared_ptr<Work>> held_up_;
  /// Gone when this is.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace drumbeat::simulation
