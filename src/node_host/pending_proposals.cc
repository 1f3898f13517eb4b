// SPDX-License-Identifier: Apache-2.0
#include "node_host/pending_proposals.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/check.h"

namespace drumbeat::node_host {
namespace {

using state_machine::AppliedAs;
using state_machine::AppliedEntry;

constexpr std::uint64_t kSlotBits = 24;
constexpr std::uint64_t kSlotMask = (std::uint64_t{1} << kSlotBits) - 1;

void CompleteWithError(PendingProposals::AnyCompletion completion, const Error& error) {
  std::visit([&](auto& typed) { typed.Complete(std::unexpected(error)); }, completion);
}

bool IsChange(const PendingProposals::AnyCompletion& completion) {
  return std::holds_alternative<internal::Completion<Membership>>(completion);
}

/// Why an applied entry is a failure to its proposer; nothing when it is not.
std::optional<Error> FailureOf(AppliedEntry& entry) {
  switch (entry.outcome) {
    case AppliedAs::kSessionUnknown: return Error{ErrorCode::kSessionExpired, {}};
    case AppliedAs::kIgnored:
      return Error{ErrorCode::kInvalidSession, "the series was completed before"};
    case AppliedAs::kAlreadyRegistered:
      return Error{ErrorCode::kInvalidSession, "the session is registered already"};
    case AppliedAs::kChangeRefused: return Error{ErrorCode::kRejected, std::move(entry.refusal)};
    default: return std::nullopt;
  }
}

void CompleteApplied(PendingProposals::AnyCompletion completion, AppliedEntry& entry, ShardId shard,
                     const Membership& members) {
  if (const std::optional<Error> failure = FailureOf(entry)) {
    CompleteWithError(std::move(completion), *failure);
    return;
  }
  std::visit(
      [&](auto& typed) {
        using T = std::decay_t<decltype(typed)>;
        if constexpr (std::is_same_v<T, internal::Completion<ApplyResult>>) {
          typed.Complete(std::move(entry.result));
        } else if constexpr (std::is_same_v<T, internal::Completion<Session>>) {
          typed.Complete(Session::Registered(shard, entry.client_id));
        } else if constexpr (std::is_same_v<T, internal::Completion<Membership>>) {
          typed.Complete(members);
        } else {
          typed.Complete({});
        }
      },
      completion);
}

}  // namespace

PendingProposals::PendingProposals(ShardId shard, std::size_t limit, std::uint64_t seed)
    : shard_(shard), limit_(limit), random_(seed) {
  DRUMBEAT_CHECK(limit <= kSlotMask, "a slot's number fits into its key");
}

Result<std::uint64_t> PendingProposals::Add(std::uint64_t client_id, std::uint64_t series_id,
                                            std::uint64_t deadline_tick,
                                            AnyCompletion& completion) {
  const base::MutexLock lock(mutex_);
  if (closed_) return std::unexpected(*closed_);
  const bool is_change = IsChange(completion);
  if (is_change && change_pending_) {
    return Fail(ErrorCode::kInProgress, "another change is under way");
  }
  if (free_.empty()) {
    if (slots_.size() >= limit_) {
      return Fail(ErrorCode::kBusy, "too many proposals of this replica wait already");
    }
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t number = free_.back();
  free_.pop_back();
  Slot& slot = slots_[number];
  // The upper bits are random and not all 0, so no key is 0.
  slot.key = ((random_.Next() | (std::uint64_t{1} << 63)) & ~kSlotMask) | number;
  slot.client_id = client_id;
  slot.series_id = series_id;
  slot.deadline_tick = deadline_tick;
  first_deadline_ = std::min(first_deadline_, deadline_tick);
  slot.completion = std::move(completion);
  change_pending_ |= is_change;
  return slot.key;
}

PendingProposals::Slot* PendingProposals::Find(std::uint64_t key, std::uint64_t client_id,
                                               std::uint64_t series_id) {
  const std::uint64_t number = key & kSlotMask;
  if (key == 0 || number >= slots_.size()) return nullptr;
  Slot& slot = slots_[number];
  const bool same = slot.key == key && slot.client_id == client_id && slot.series_id == series_id;
  return same ? &slot : nullptr;
}

PendingProposals::AnyCompletion PendingProposals::Release(Slot& slot) {
  slot.key = 0;
  if (IsChange(slot.completion)) change_pending_ = false;
  free_.push_back(static_cast<std::uint32_t>(&slot - slots_.data()));
  return std::exchange(slot.completion, AnyCompletion());
}

void PendingProposals::Applied(std::span<AppliedEntry> entries, const Membership& members) {
  std::vector<std::pair<AppliedEntry*, AnyCompletion>> found;
  {
    const base::MutexLock lock(mutex_);
    for (AppliedEntry& entry : entries) {
      Slot* slot = Find(entry.key, entry.client_id, entry.series_id);
      if (slot != nullptr) found.emplace_back(&entry, Release(*slot));
    }
  }
  for (auto& [entry, completion] : found) {
    CompleteApplied(std::move(completion), *entry, shard_, members);
  }
}

void PendingProposals::Drop(const raft::Entry& entry, const Error& error) {
  std::optional<AnyCompletion> completion;
  {
    const base::MutexLock lock(mutex_);
    Slot* slot = Find(entry.key, entry.client_id, entry.series_id);
    if (slot != nullptr) completion = Release(*slot);
  }
  if (completion) CompleteWithError(std::move(*completion), error);
}

void PendingProposals::Expire(std::uint64_t tick) {
  std::vector<AnyCompletion> late;
  {
    const base::MutexLock lock(mutex_);
    if (first_deadline_ >= tick) return;
    first_deadline_ = kNever;
    for (Slot& slot : slots_) {
      if (slot.key == 0) continue;
      if (slot.deadline_tick < tick) {
        late.push_back(Release(slot));
      } else {
        first_deadline_ = std::min(first_deadline_, slot.deadline_tick);
      }
    }
  }
  for (AnyCompletion& completion : late) {
    CompleteWithError(std::move(completion), Error{ErrorCode::kTimeout, {}});
  }
}

void PendingProposals::Close(const Error& reason) {
  std::vector<AnyCompletion> all;
  {
    const base::MutexLock lock(mutex_);
    if (!closed_) closed_ = reason;
    for (Slot& slot : slots_) {
      if (slot.key != 0) all.push_back(Release(slot));
    }
  }
  for (AnyCompletion& completion : all) {
    CompleteWithError(std::move(completion), Error{ErrorCode::kTerminated, reason.message});
  }
}

std::size_t PendingProposals::size() const {
  const base::MutexLock lock(mutex_);
  return slots_.size() - free_.size();
}

}  // namespace drumbeat::node_host
