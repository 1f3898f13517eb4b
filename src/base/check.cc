// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace drumbeat::base {
namespace {

thread_local const ReplicaScope* current_scope = nullptr;

}  // namespace

ReplicaScope::ReplicaScope(ShardId shard, ReplicaId replica)
    : shard_(shard), replica_(replica), outer_(current_scope) {
  current_scope = this;
}

ReplicaScope::~ReplicaScope() { current_scope = outer_; }

void CheckFailed(const char* condition, const char* why, const char* file, int line) {
  std::string text = "invariant broken: ";
  if (current_scope != nullptr) {
    text += "shard " + std::to_string(current_scope->shard().value()) + " replica " +
            std::to_string(current_scope->replica().value()) + ": ";
  }
  text += std::string(why) + " (" + condition + ", " + file + ":" + std::to_string(line) + ")";
  if (current_scope != nullptr) throw InvariantBroken(text);
  std::fprintf(stderr, "drumbeat: %s\n", text.c_str());
  std::abort();
}

}  // namespace drumbeat::base
