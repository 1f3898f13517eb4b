// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <string>

#include "drumbeat/types.h"

namespace drumbeat::base {

/// Thrown by a failed DRUMBEAT_CHECK inside a ReplicaScope: that replica's state cannot be trusted
/// any more and it must be discarded. Leaves the library only towards a state machine that called
/// it.
class InvariantBroken : public std::exception {
 public:
  explicit InvariantBroken(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

/// Marks this thread as working for one replica. A failed check then throws InvariantBroken, which
/// whoever opened the scope catches; outside any scope it aborts the process.
class ReplicaScope {
 public:
  ReplicaScope(ShardId shard, ReplicaId replica);
  ~ReplicaScope();
  ReplicaScope(const ReplicaScope&) = delete;
  ReplicaScope& operator=(const ReplicaScope&) = delete;

  ShardId shard() const { return shard_; }
  ReplicaId replica() const { return replica_; }

 private:
  ShardId shard_;
  ReplicaId replica_;
  const ReplicaScope* outer_;
};

[[noreturn]] void CheckFailed(const char* condition, const char* why, const char* file, int line);

}  // namespace drumbeat::base

/// States an invariant and why it must hold; in release builds too. Never for what a user, another
/// host or a file said.
#define DRUMBEAT_CHECK(condition, why)                                    \
  do {                                                                    \
    if (!(condition)) [[unlikely]]                                        \
      ::drumbeat::base::CheckFailed(#condition, why, __FILE__, __LINE__); \
  } while (false)
