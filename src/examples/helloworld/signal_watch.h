// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <semaphore>
#include <stop_token>
#include <thread>

namespace helloworld {

/// Turns CTRL+C (SIGINT), SIGTERM and SIGHUP into a request to stop, after which the process still
/// ends by that signal: in order if that is soon, and at once when a second one comes.
///
/// Make it before any other thread, which then leaves these signals to it. SIGPIPE is ignored.
/// Thread-safety: all functions from any thread.
class SignalWatch {
 public:
  /// `limit`: how long the process may take from the first signal until it calls DieIfSignalled();
  /// then it ends anyway.
  explicit SignalWatch(std::chrono::milliseconds limit);
  /// From here on a signal ends the process at once.
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// Its stop is requested at the first signal; anybody else may request it, too.
  const std::stop_source& stop_source() const { return stop_; }

  /// Ends the process by the signal that came, if one did.
  void DieIfSignalled() const;

 private:
  void Run(std::chrono::milliseconds limit);

  enum class State : std::uint8_t { kWaiting, kSignalled, kEnding };

  std::stop_source stop_;
  sigset_t signals_;
  std::atomic<State> state_ = State::kWaiting;  // leaves kWaiting once
  std::atomic<int> received_ = 0;
  std::binary_semaphore ended_{0};  // released by the destructor
  std::thread thread_;
};

}  // namespace helloworld
