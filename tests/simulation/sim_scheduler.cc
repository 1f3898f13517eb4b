// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_scheduler.h"

#include <algorithm>
#include <utility>

namespace drumbeat::simulation {

/// What a task runs; shared by its handle and by events on their way.
struct SimScheduler::Work {
  std::function<void()> pass;
  microseconds period{0};
  bool scheduled = false;
  bool gone = false;
};

class SimScheduler::Handle : public node_host::Task {
 public:
  Handle(SimScheduler& scheduler, std::shared_ptr<Work> work)
      : scheduler_(scheduler), work_(std::move(work)) {}
  ~Handle() override { Handle::Stop(); }

  void Stop() override { work_->gone = true; }
  void Wake() override {
    if (work_->gone || work_->period.count() > 0 || std::exchange(work_->scheduled, true)) return;
    scheduler_.Schedule(work_, scheduler_.world_.Between(microseconds(1), microseconds(50)));
  }

 private:
  SimScheduler& scheduler_;
  const std::shared_ptr<Work> work_;
};

SimScheduler::SimScheduler(World& world, std::uint64_t clock_percent)
    : world_(world), clock_percent_(clock_percent) {}

void SimScheduler::Schedule(const std::shared_ptr<Work>& work, microseconds delay) {
  world_.After(delay, [this, work] {
    if (work->gone) return;
    if (world_.now() < paused_until_) {
      held_up_.push_back(work);
    } else {
      Run(work);
    }
  });
}

void SimScheduler::Run(const std::shared_ptr<Work>& work) {
  if (work->gone) return;
  if (work->period.count() > 0) {
    Schedule(work, work->period);
  } else if (!std::exchange(work->scheduled, false)) {
    return;  // ran meanwhile
  }
  running_ = work.get();
  work->pass();
  running_ = nullptr;
}

void SimScheduler::RunOthers() {
  const Work* const outer = running_;
  if (outer == nullptr) return;  // a write of the start
  for (std::size_t i = 0; i < all_.size(); ++i) {
    const std::shared_ptr<Work> work = all_[i].lock();
    if (work == nullptr || work.get() == outer || !work->scheduled) continue;
    Run(work);
    running_ = outer;
  }
}

void SimScheduler::PauseUntil(microseconds then) {
  paused_until_ = then;
  world_.After(std::max(then - world_.now(), microseconds(0)),
               [this, alive = std::weak_ptr<bool>(alive_)] {
                 if (!alive.expired() && world_.now() >= paused_until_) Resume();
               });
}

void SimScheduler::Resume() {
  for (const std::shared_ptr<Work>& work : std::exchange(held_up_, {})) {
    Schedule(work, microseconds(1));
  }
}

std::unique_ptr<node_host::Task> SimScheduler::Start(std::string, std::function<void()> pass) {
  auto work = std::make_shared<Work>();
  work->pass = std::move(pass);
  all_.push_back(work);
  return std::make_unique<Handle>(*this, std::move(work));
}

std::unique_ptr<node_host::Task> SimScheduler::Every(std::string, std::chrono::milliseconds period,
                                                     std::function<void()> pass) {
  auto work = std::make_shared<Work>();
  work->pass = std::move(pass);
  work->period = microseconds(period) * static_cast<std::int64_t>(clock_percent_) / 100;
  Schedule(work, world_.Between(microseconds(1), work->period));
  return std::make_unique<Handle>(*this, std::move(work));
}

void SimScheduler::Await(const std::function<bool()>& done) {
  while (!done()) {
    bool any = false;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      const std::shared_ptr<Work> work = all_[i].lock();
      if (work == nullptr || work->gone || !std::exchange(work->scheduled, false)) continue;
      any = true;
      work->pass();
    }
    if (!any) throw Violation("a host waits for something that nobody is doing");
  }
}

std::chrono::steady_clock::time_point SimScheduler::Now() const {
  return std::chrono::steady_clock::time_point(world_.now());
}

std::uint64_t SimScheduler::UnixNanoseconds() const {
  return static_cast<std::uint64_t>(world_.now().count()) * 1000;
}

}  // namespace drumbeat::simulation
