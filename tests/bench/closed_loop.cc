// SPDX-License-Identifier: Apache-2.0
#include "bench/closed_loop.h"

#include <algorithm>
#include <any>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <thread>
#include <utility>

#include "bench/system.h"

namespace drumbeat::bench {

namespace {
constexpr std::chrono::seconds kTimeout{10};
/// How often the waiting thread looks whether the load has come to a halt or an end.
constexpr std::uint64_t kLookNs = 10'000'000;
}  // namespace

ClosedLoop::ClosedLoop(NodeHost& host, ShardId shard, const Cell& cell, const LoadWindow& window)
    : host_(host),
      shard_(shard),
      session_(Session::NoOp(shard)),
      cell_(cell),
      window_(window),
      sent_ns_(cell.in_flight),
      command_(cell.payload_bytes, '\0') {
  for (std::size_t slot = 0; slot < sent_ns_.size(); ++slot) idle_.push_back(slot);
  for (std::size_t i = 0; i < command_.size(); ++i) command_[i] = static_cast<char>(i * 131 + 7);
}

LoadReport ClosedLoop::Run() {
  for (;;) {
    // At the start, and when everything was refused, so that no completion would send more.
    if (running_.load(std::memory_order_acquire) == 0) {
      if (NowNs() >= window_.to_ns) break;
      OnCallbackThread([this] { Refill(); });
    }
    SleepUntilNs(NowNs() + kLookNs);
  }
  OnCallbackThread([] {});  // behind the last callback
  return std::move(report_);
}

template <class Body>
void ClosedLoop::OnCallbackThread(Body body) {
  const auto caller = std::this_thread::get_id();
  for (int tries = 0; tries < 10'000; ++tries) {
    // It completes on the callback thread, unless it was refused or done before Then() was there.
    std::promise<bool> elsewhere;
    host_.ReadIndex(shard_, kTimeout).Then([&](Result<Index>) {
      const bool on_callback_thread = std::this_thread::get_id() != caller;
      if (on_callback_thread) body();
      elsewhere.set_value(on_callback_thread);
    });
    if (elsewhere.get_future().get()) return;
    SleepUntilNs(NowNs() + 1'000'000);
  }
  std::fputs("drumbeat_bench: the node host completes nothing\n", stderr);
  std::exit(1);
}

void ClosedLoop::Refill() {
  if (refilling_) return;  // a request that completed at once; the loop below goes on with it
  refilling_ = true;
  last_was_busy_ = false;
  while (!idle_.empty() && !last_was_busy_ && NowNs() < window_.to_ns) {
    const std::size_t slot = idle_.back();
    idle_.pop_back();
    Send(slot);
  }
  refilling_ = false;
}

void ClosedLoop::Send(std::size_t slot) {
  running_.fetch_add(1, std::memory_order_relaxed);
  sent_ns_[slot] = NowNs();
  if (cell_.operation == Operation::kRead) {
    host_.Read(shard_, std::any(), kTimeout).Then([this, slot](Result<std::any> result) {
      Completed(slot, result ? nullptr : &result.error());
    });
    return;
  }
  ++sequence_;
  std::memcpy(command_.data(), &sequence_, std::min(sizeof sequence_, command_.size()));
  host_.Propose(shard_, session_, command_, kTimeout)
      .Then([this, slot](Result<ApplyResult> result) {
        Completed(slot, result ? nullptr : &result.error());
      });
}

void ClosedLoop::Completed(std::size_t slot, const Error* error) {
  const std::uint64_t now = NowNs();
  idle_.push_back(slot);
  if (error == nullptr) {
    ++report_.acknowledged;
    if (now >= window_.from_ns && now < window_.to_ns) {
      report_.latency.Add(now - sent_ns_[slot]);
    }
  } else if (error->code == ErrorCode::kBusy) {
    ++report_.busy;
    last_was_busy_ = true;
  } else {
    if (report_.errors++ == 0) report_.first_error = error->text();
    last_was_busy_ = true;
  }
  Refill();
  running_.fetch_sub(1, std::memory_order_release);
}

}  // namespace drumbeat::bench
