// SPDX-License-Identifier: Apache-2.0
#include "signal_watch.h"

#include <pthread.h>

namespace helloworld {
namespace {

// A hang-up that the parent asked to ignore, as nohup does, stays ignored.
bool IsIgnored(int signal) {
  struct sigaction action{};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

void UnblockHere(const sigset_t& signals) { ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr); }

[[noreturn]] void DieBy(int signal) {
  sigset_t only;
  ::sigemptyset(&only);
  ::sigaddset(&only, signal);
  std::signal(signal, SIG_DFL);
  UnblockHere(only);
  ::raise(signal);
  std::_Exit(128 + signal);  // Not reached.
}

}  // namespace

SignalWatch::SignalWatch(std::chrono::milliseconds limit) {
  std::signal(SIGPIPE, SIG_IGN);
  ::sigemptyset(&signals_);
  ::sigaddset(&signals_, SIGINT);
  ::sigaddset(&signals_, SIGTERM);
  if (!IsIgnored(SIGHUP)) ::sigaddset(&signals_, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::thread([this, limit] { Run(limit); });
}

SignalWatch::~SignalWatch() {
  State expected = State::kWaiting;
  if (state_.compare_exchange_strong(expected, State::kEnding)) {
    ::pthread_kill(thread_.native_handle(), SIGINT);  // Ends its sigwait().
  }
  ended_.release();
  thread_.join();
  UnblockHere(signals_);
}

void SignalWatch::DieIfSignalled() const {
  if (state_ == State::kSignalled) DieBy(received_);
}

void SignalWatch::Run(std::chrono::milliseconds limit) {
  int signal = 0;
  while (::sigwait(&signals_, &signal) != 0) {
  }
  received_ = signal;
  State expected = State::kWaiting;
  if (!state_.compare_exchange_strong(expected, State::kSignalled)) return;
  for (const int each : {SIGINT, SIGTERM, SIGHUP}) {
    if (::sigismember(&signals_, each) == 1) std::signal(each, SIG_DFL);
  }
  // A second signal finds this thread, and its default action.
  UnblockHere(signals_);
  stop_.request_stop();
  if (!ended_.try_acquire_for(limit)) DieBy(signal);
}

}  // namespace helloworld
