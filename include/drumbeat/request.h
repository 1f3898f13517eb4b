// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "drumbeat/error.h"

namespace drumbeat {

namespace internal {

/// Runs completion callbacks; a node host has one thread for them.
class CallbackExecutor {
 public:
  virtual ~CallbackExecutor() = default;
  virtual void Run(std::move_only_function<void()> callback) = 0;
};

/// What a request and its completion share.
template <class T>
struct RequestState {
  std::mutex mutex;
  std::condition_variable completed;
  std::optional<Result<T>> result;
  std::move_only_function<void(Result<T>)> callback;
  bool has_callback = false;
  bool has_waiter = false;
  std::shared_ptr<CallbackExecutor> executor;
};

}  // namespace internal

/// A request under way; it completes exactly once, whatever happens, at the latest when its
/// timeout has passed or the node host was closed; later only by the time that the state machine
/// takes for a call that is under way by then (NodeHost::Read, StopShard).
///
/// Use one of Get(), Then() and co_await, once. Dropping a Request means "not interested": the
/// request itself goes on. A coroutine must not be destroyed while it waits for one.
/// Thread-safety: a Request belongs to one thread at a time.
/// Callbacks and resumed coroutines run on a thread of the node host that does nothing else, one
/// after the other; they may call the NodeHost, but should not block: that delays the others. Must
/// not throw (what they throw there is logged and dropped). While the host closes, its closing
/// thread runs the last ones. A result that is there already is handed over at once, on the thread
/// that asks, and what is refused is there from the start: so do not hold a lock that the callback
/// takes, and do not ask again from inside without a pause.
template <class T>
class [[nodiscard]] Request {
 public:
  /// An already completed request.
  static Request Completed(Result<T> result) {
    auto state = std::make_shared<internal::RequestState<T>>();
    state->result.emplace(std::move(result));
    return Request(std::move(state));
  }
  explicit Request(std::shared_ptr<internal::RequestState<T>> state) : state_(std::move(state)) {}

  /// Whether the result is there.
  bool done() const {
    std::lock_guard lock(state_->mutex);
    return state_->result.has_value();
  }

  /// Blocks until the request has completed.
  Result<T> Get() {
    std::unique_lock lock(state_->mutex);
    state_->has_waiter = true;
    state_->completed.wait(lock, [this] { return state_->result.has_value(); });
    return std::move(*state_->result);
  }

  /// Blocks for at most `limit`; nothing when it has not completed by then. The request goes on.
  std::optional<Result<T>> GetWithin(std::chrono::milliseconds limit) {
    using std::chrono::milliseconds;
    // What is further away than a clock can count would be in its past.
    const milliseconds wait =
        std::clamp<milliseconds>(limit, milliseconds(0), std::chrono::years(100));
    std::unique_lock lock(state_->mutex);
    state_->has_waiter = true;
    if (!state_->completed.wait_for(lock, wait, [this] { return state_->result.has_value(); })) {
      return std::nullopt;
    }
    return std::move(*state_->result);
  }

  /// Calls `callback` with the result; at once, on this thread, when it is there already.
  void Then(std::move_only_function<void(Result<T>)> callback) && {
    {
      std::lock_guard lock(state_->mutex);
      if (!state_->result) {
        state_->callback = std::move(callback);
        state_->has_callback = true;
        return;
      }
    }
    callback(std::move(*state_->result));
  }

  auto operator co_await() && {
    struct Awaiter {
      std::shared_ptr<internal::RequestState<T>> state;
      std::optional<Result<T>> result;

      bool await_ready() const noexcept { return false; }
      bool await_suspend(std::coroutine_handle<> coroutine) {
        std::lock_guard lock(state->mutex);
        if (state->result) {
          result.emplace(std::move(*state->result));
          return false;
        }
        state->has_callback = true;
        state->callback = [this, coroutine](Result<T> value) {
          result.emplace(std::move(value));
          coroutine.resume();
        };
        return true;
      }
      Result<T> await_resume() { return std::move(*result); }
    };
    return Awaiter{std::move(state_), std::nullopt};
  }

 private:
  std::shared_ptr<internal::RequestState<T>> state_;
};

namespace internal {

/// The side that completes a request. A completion that is dropped without a result completes the
/// request with kTerminated, so that nobody waits for ever.
template <class T>
class Completion {
 public:
  Completion() = default;
  explicit Completion(std::shared_ptr<CallbackExecutor> executor)
      : state_(std::make_shared<RequestState<T>>()) {
    state_->executor = std::move(executor);
  }
  Completion(Completion&&) noexcept = default;
  Completion& operator=(Completion&& other) noexcept {
    if (this != &other) {
      Abandon();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~Completion() { Abandon(); }

  explicit operator bool() const { return state_ != nullptr; }
  Request<T> request() const { return Request<T>(state_); }

  /// Completes the request. Call it once; this object is empty afterwards.
  void Complete(Result<T> result) {
    const std::shared_ptr<RequestState<T>> state = std::move(state_);
    std::unique_lock lock(state->mutex);
    if (state->has_callback) {
      auto callback = std::move(state->callback);
      lock.unlock();
      state->executor->Run([callback = std::move(callback), result = std::move(result)]() mutable {
        callback(std::move(result));
      });
      return;
    }
    state->result.emplace(std::move(result));
    const bool notify = state->has_waiter;
    lock.unlock();
    if (notify) state->completed.notify_all();
  }

 private:
  void Abandon() {
    if (state_ != nullptr) Complete(Fail(ErrorCode::kTerminated));
  }

  std::shared_ptr<RequestState<T>> state_;
};

}  // namespace internal

}  // namespace drumbeat
