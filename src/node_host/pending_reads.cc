// SPDX-License-Identifier: Apache-2.0
#include "node_host/pending_reads.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

namespace drumbeat::node_host {
namespace {

/// How long other replicas may remember a context, in ticks; only a hint in its second word.
constexpr std::uint64_t kContextTicks = 30;

void FailAll(std::vector<PendingRead>& reads, const Error& error) {
  for (PendingRead& read : reads) read.Fail(error);
}

/// Moves the reads that were due before `tick` from `reads` to `late`.
void TakeLate(std::vector<PendingRead>& reads, std::uint64_t tick, std::vector<PendingRead>& late) {
  const auto first_late =
      std::stable_partition(reads.begin(), reads.end(),
                            [tick](const PendingRead& read) { return read.deadline_tick >= tick; });
  std::move(first_late, reads.end(), std::back_inserter(late));
  reads.erase(first_late, reads.end());
}

}  // namespace

void PendingRead::Fail(const Error& error) {
  std::visit([&](auto& read) { read.completion.Complete(std::unexpected(error)); }, what);
}

PendingReads::Reads& PendingReads::Round::Left() {
  reads.erase(reads.begin(), reads.begin() + static_cast<std::ptrdiff_t>(std::exchange(taken, 0)));
  return reads;
}

PendingReads::PendingReads(std::size_t limit, std::uint64_t seed) : limit_(limit), random_(seed) {}

Result<void> PendingReads::Add(PendingRead& read) {
  const base::MutexLock lock(mutex_);
  if (closed_) return std::unexpected(*closed_);
  if (waiting_ >= limit_) {
    return drumbeat::Fail(ErrorCode::kBusy, "too many reads of this replica wait already");
  }
  ++waiting_;
  queued_.push_back(std::move(read));
  return {};
}

std::optional<raft::ReadContext> PendingReads::StartRound(std::uint64_t tick) {
  const base::MutexLock lock(mutex_);
  if (queued_.empty()) return std::nullopt;
  const raft::ReadContext context{.low = random_.Next() | 1, .high = tick + kContextTicks};
  rounds_.emplace(context, std::exchange(queued_, {}));
  return context;
}

bool PendingReads::Confirmed(raft::ReadContext context, Index index) {
  const base::MutexLock lock(mutex_);
  auto round = rounds_.extract(context);
  if (round.empty()) return false;
  confirmed_.emplace(index, Round{.reads = std::move(round.mapped())});
  return true;
}

void PendingReads::Drop(raft::ReadContext context, const Error& error) {
  Reads reads;
  {
    const base::MutexLock lock(mutex_);
    auto round = rounds_.extract(context);
    if (!round.empty()) reads = std::move(round.mapped());
    waiting_ -= reads.size();
  }
  FailAll(reads, error);
}

bool PendingReads::AskAgain() {
  const base::MutexLock lock(mutex_);
  for (auto& [context, reads] : rounds_) {
    std::move(reads.begin(), reads.end(), std::back_inserter(queued_));
  }
  rounds_.clear();
  return !queued_.empty();
}

std::optional<PendingRead> PendingReads::TakeReady(Index applied) {
  const base::MutexLock lock(mutex_);
  if (confirmed_.empty() || confirmed_.begin()->first > applied) return std::nullopt;
  Round& round = confirmed_.begin()->second;
  std::optional<PendingRead> ready = std::move(round.reads[round.taken]);
  if (++round.taken == round.reads.size()) confirmed_.erase(confirmed_.begin());
  --waiting_;
  return ready;
}

void PendingReads::Expire(std::uint64_t tick) {
  Reads late;
  {
    const base::MutexLock lock(mutex_);
    TakeLate(queued_, tick, late);
    for (auto& [context, reads] : rounds_) TakeLate(reads, tick, late);
    for (auto& [index, round] : confirmed_) TakeLate(round.Left(), tick, late);
    std::erase_if(rounds_, [](const auto& round) { return round.second.empty(); });
    std::erase_if(confirmed_, [](const auto& round) { return round.second.reads.empty(); });
    waiting_ -= late.size();
  }
  FailAll(late, Error{ErrorCode::kTimeout, {}});
}

void PendingReads::Close(const Error& reason) {
  Reads all;
  {
    const base::MutexLock lock(mutex_);
    if (!closed_) closed_ = reason;
    all = std::exchange(queued_, {});
    for (auto& [context, reads] : rounds_) std::ranges::move(reads, std::back_inserter(all));
    for (auto& [index, round] : confirmed_)
      std::ranges::move(round.Left(), std::back_inserter(all));
    rounds_.clear();
    confirmed_.clear();
    waiting_ = 0;
  }
  FailAll(all, Error{ErrorCode::kTerminated, reason.message});
}

}  // namespace drumbeat::node_host
