// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {

inline Options With(bool check_quorum, bool pre_vote) {
  Options options = TestShard::DefaultOptions();
  options.check_quorum = check_quorum;
  options.pre_vote = pre_vote;
  return options;
}

/// The answer of kind M that the receiver of `message` gives, if it gives one.
template <class M>
std::optional<Envelope> Answer(TestShard& shard, Envelope message) {
  const std::uint64_t to = message.to.value();
  shard.Deliver(std::move(message));
  std::optional<Envelope> answer;
  while (shard.raft(to).HasOutput()) {
    for (Envelope& sent : shard[to].RunOnce()) {
      if (std::holds_alternative<M>(sent.message)) answer = std::move(sent);
    }
  }
  return answer;
}

inline RequestVote Ask(std::uint64_t last_index, std::uint64_t last_term, bool transfer = false) {
  return {.last_index = Index{last_index}, .last_term = Term{last_term}, .transfer = transfer};
}

}  // namespace drumbeat::raft::testing
