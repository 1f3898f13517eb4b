// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/thread.h"
#include "node_host/scheduler.h"

namespace drumbeat::node_host {
namespace {

/// Whose task the calling thread runs.
thread_local const Scheduler* running_for = nullptr;

class ThreadTask : public Task {
 public:
  ThreadTask(const Scheduler& owner, const std::string& name, std::function<void()> pass)
      : pass_(std::move(pass)), thread_(base::StartThread(name, [this, &owner] {
          running_for = &owner;
          Run();
        })) {}
  ~ThreadTask() override { ThreadTask::Stop(); }

  void Stop() override {
    if (!thread_.joinable()) return;
    stop_.store(true);
    Wake();
    thread_.join();
  }

  void Wake() override {
    // Only a sleeper costs a system call; a task that is awake sees the flag by itself.
    if (woken_.exchange(true)) return;
    {
      const std::lock_guard lock(mutex_);
    }  // it sleeps by now, or has yet to look at the flag
    sleeper_.notify_one();
  }

 private:
  void Run() {
    while (true) {
      Sleep();
      if (stop_.load()) return;
      pass_();
    }
  }

  // Not std::atomic::wait(): it yields several times first, which costs others their cores.
  void Sleep() {
    if (woken_.exchange(false)) return;
    std::unique_lock lock(mutex_);
    sleeper_.wait(lock, [this] { return woken_.exchange(false); });
  }

  std::function<void()> pass_;
  std::mutex mutex_;
  std::condition_variable sleeper_;
  std::atomic<bool> woken_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class PeriodicTask : public Task {
 public:
  PeriodicTask(const Scheduler& owner, const std::string& name, std::chrono::milliseconds period,
               std::function<void()> pass)
      : period_(period), pass_(std::move(pass)), thread_(base::StartThread(name, [this, &owner] {
          running_for = &owner;
          Run();
        })) {}
  ~PeriodicTask() override { PeriodicTask::Stop(); }

  void Stop() override {
    if (!thread_.joinable()) return;
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  void Wake() override {}

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    auto next = std::chrono::steady_clock::now() + period_;
    while (!wake_.wait_until(lock, next, [this] { return stop_; })) {
      lock.unlock();
      pass_();
      lock.lock();
      next = std::max(next + period_, std::chrono::steady_clock::now());
    }
  }

  const std::chrono::milliseconds period_;
  const std::function<void()> pass_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

class ThreadScheduler : public Scheduler {
 public:
  std::unique_ptr<Task> Start(std::string name, std::function<void()> pass) override {
    return std::make_unique<ThreadTask>(*this, name, std::move(pass));
  }
  std::unique_ptr<Task> Every(std::string name, std::chrono::milliseconds period,
                              std::function<void()> pass) override {
    return std::make_unique<PeriodicTask>(*this, name, period, std::move(pass));
  }
  void Await(const std::function<bool()>& done) override {
    // For the ends of things, which come within a few milliseconds.
    while (!done()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  bool OnTaskThread() const override { return running_for == this; }
  std::chrono::steady_clock::time_point Now() const override {
    return std::chrono::steady_clock::now();
  }
  std::uint64_t UnixNanoseconds() const override {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::system_clock::now().time_since_epoch())
                                          .count());
  }
};

}  // namespace

std::unique_ptr<Scheduler> MakeThreadScheduler() { return std::make_unique<ThreadScheduler>(); }

}  // namespace drumbeat::node_host
