// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>

// Clang's thread safety analysis; other compilers skip it.
#if defined(__clang__)
#define DRUMBEAT_ANNOTATION(x) __attribute__((x))
#else
#define DRUMBEAT_ANNOTATION(x)
#endif

/// On a member: read and write it only with that mutex held.
#define DRUMBEAT_GUARDED_BY(mutex) DRUMBEAT_ANNOTATION(guarded_by(mutex))
/// On a function: call it with that mutex held, or without it.
#define DRUMBEAT_REQUIRES(...) DRUMBEAT_ANNOTATION(requires_capability(__VA_ARGS__))
#define DRUMBEAT_EXCLUDES(...) DRUMBEAT_ANNOTATION(locks_excluded(__VA_ARGS__))

namespace drumbeat::base {

class DRUMBEAT_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() DRUMBEAT_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() DRUMBEAT_ANNOTATION(release_capability()) { mutex_.unlock(); }
  bool try_lock() DRUMBEAT_ANNOTATION(try_acquire_capability(true)) { return mutex_.try_lock(); }
  std::mutex& native() { return mutex_; }

 private:
  std::mutex mutex_;
};

/// Holds a Mutex for a scope.
class DRUMBEAT_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) DRUMBEAT_ANNOTATION(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() DRUMBEAT_ANNOTATION(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// Waits with a Mutex held by a MutexLock.
class ConditionVariable {
 public:
  template <class Predicate>
  void Wait(Mutex& mutex, Predicate predicate) DRUMBEAT_REQUIRES(mutex) {
    std::unique_lock lock(mutex.native(), std::adopt_lock);
    condition_.wait(lock, std::move(predicate));
    lock.release();
  }
  /// Returns what `predicate` says at the end.
  template <class Duration, class Predicate>
  bool WaitFor(Mutex& mutex, Duration limit, Predicate predicate) DRUMBEAT_REQUIRES(mutex) {
    std::unique_lock lock(mutex.native(), std::adopt_lock);
    const bool held = condition_.wait_for(lock, limit, std::move(predicate));
    lock.release();
    return held;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace drumbeat::base
