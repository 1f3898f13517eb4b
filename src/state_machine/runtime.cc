// SPDX-License-Identifier: Apache-2.0
#include "state_machine/runtime.h"

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "base/mutex.h"
#include "codec/command.h"
#include "codec/records.h"
#include "state_machine/guarded_machine.h"
#include "state_machine/phase_fair_lock.h"
#include "state_machine/session_table.h"

namespace drumbeat::state_machine {

namespace {

using Clock = std::chrono::steady_clock;

/// How long Apply keeps readers waiting before it lets them in between two entries.
constexpr Clock::duration kLongestHold = std::chrono::milliseconds(1);
/// What is kept of the memory that a decompressed command took.
constexpr std::size_t kKeptScratchBytes = 1u << 20;

/// Reads to the end, which checks the rest of the image: a state machine may stop early.
Result<void> Drain(SnapshotReader& reader) {
  std::array<char, 16384> rest;
  for (;;) {
    const Result<std::size_t> got = reader.Read(rest);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return {};
  }
}

class ReplicaRuntime final : public Runtime {
 public:
  ReplicaRuntime(const RuntimeOptions& options, std::unique_ptr<StateMachine> state_machine)
      : options_(options), machine_(std::move(state_machine)) {}
  ~ReplicaRuntime() override { Close(); }

  Result<void> Apply(std::span<const raft::Entry> entries, std::vector<AppliedEntry>& out) override;
  Result<std::any> Lookup(const std::any& query) const override;
  Result<Saved> Save(codec::ImageSink& sink, Compression compression, std::uint64_t now_unix_ns,
                     std::stop_token stop) const override;
  Result<void> Recover(const raft::SnapshotRecord& record, std::unique_ptr<SnapshotReader> image,
                       std::stop_token stop) override;
  void Close() override;

  Index applied() const override { return Index(applied_.load(std::memory_order_acquire)); }
  Term applied_term() const override { return Term(term_.load(std::memory_order_acquire)); }
  Membership membership() const override {
    base::MutexLock lock(membership_mutex_);
    return membership_;
  }
  codec::StoredSessions sessions() const override {
    std::shared_lock lock(lock_);
    return sessions_.Save();
  }

 private:
  // Everything below: with lock_ held, exclusively unless it is const.

  /// Why nothing can be done here any more, if so.
  Result<void> Usable() const;
  /// Makes `error` the answer to everything from now on.
  std::unexpected<Error> FailWith(Error error);
  Result<void> CheckFollows(const raft::Entry& entry) const;
  void MoveTo(Index index, Term term);

  Result<void> ApplyOne(const raft::Entry& entry, AppliedEntry& applied);
  void ApplyChange(const raft::Entry& entry, AppliedEntry& applied);
  Result<void> ApplyCommand(const raft::Entry& entry, AppliedEntry& applied);
  Result<void> Update(const raft::Entry& entry, AppliedEntry& applied);

  Result<void> SaveInto(codec::ImageWriter& writer, std::stop_token stop) const;
  Result<SessionTable> LoadImage(SnapshotReader& image, std::stop_token stop);
  Result<void> RecoverState(const raft::SnapshotRecord& record,
                            std::unique_ptr<SnapshotReader> image, std::stop_token stop);
  void SetMembership(Membership members) {
    base::MutexLock lock(membership_mutex_);
    membership_ = std::move(members);
  }

  const RuntimeOptions options_;

  /// Exclusive for what changes the state, shared for what reads it.
  mutable PhaseFairLock lock_;
  GuardedMachine machine_;
  SessionTable sessions_;
  std::optional<Error> failure_;
  bool closed_ = false;
  std::string scratch_;

  // Written with lock_ held exclusively; readable without it.
  std::atomic<std::uint64_t> applied_{0};
  std::atomic<std::uint64_t> term_{0};
  mutable base::Mutex membership_mutex_;
  /// Written with both locks held, so that either is enough to read it.
  Membership membership_;
};

Result<void> ReplicaRuntime::Usable() const {
  if (failure_) return std::unexpected(*failure_);
  if (closed_) return Fail(ErrorCode::kTerminated, "the replica has stopped");
  return {};
}

std::unexpected<Error> ReplicaRuntime::FailWith(Error error) {
  failure_ = std::move(error);
  return std::unexpected(*failure_);
}

Result<void> ReplicaRuntime::Apply(std::span<const raft::Entry> entries,
                                   std::vector<AppliedEntry>& out) {
  std::unique_lock lock(lock_);
  if (Result<void> usable = Usable(); !usable) return usable;
  Clock::time_point held_since = Clock::now();
  for (const raft::Entry& entry : entries) {
    if (Result<void> follows = CheckFollows(entry); !follows) return FailWith(follows.error());
    AppliedEntry& applied = out.emplace_back();
    if (Result<void> done = ApplyOne(entry, applied); !done) {
      out.pop_back();
      return FailWith(done.error());
    }
    MoveTo(entry.index, entry.term);
    if (lock_.readers_wait() && Clock::now() - held_since > kLongestHold) {
      lock.unlock();
      lock.lock();
      held_since = Clock::now();
    }
  }
  if (scratch_.capacity() > kKeptScratchBytes) std::string().swap(scratch_);
  return {};
}

Result<void> ReplicaRuntime::CheckFollows(const raft::Entry& entry) const {
  if (entry.index == applied() + 1 && entry.term >= applied_term()) return {};
  return Fail(ErrorCode::kReplicaFailed, "entry " + std::to_string(entry.index.value()) +
                                             " of term " + std::to_string(entry.term.value()) +
                                             " does not follow the applied entry " +
                                             std::to_string(applied().value()) + " of term " +
                                             std::to_string(applied_term().value()));
}

void ReplicaRuntime::MoveTo(Index index, Term term) {
  term_.store(term.value(), std::memory_order_release);
  applied_.store(index.value(), std::memory_order_release);
}

// The classification, in this order, is replicated state (wire.md 4.2).
Result<void> ReplicaRuntime::ApplyOne(const raft::Entry& entry, AppliedEntry& applied) {
  applied.index = entry.index;
  applied.key = entry.key;
  applied.client_id = entry.client_id;
  applied.series_id = entry.series_id;
  if (entry.type == raft::EntryType::kConfigChange) {
    ApplyChange(entry, applied);
    return {};
  }
  if (options_.witness) return {};
  if (entry.client_id == 0) {
    if (!entry.command.empty()) applied.refusal = "a command without a client";
    return {};
  }
  return ApplyCommand(entry, applied);
}

void ReplicaRuntime::ApplyChange(const raft::Entry& entry, AppliedEntry& applied) {
  applied.outcome = AppliedAs::kChangeRefused;
  Result<raft::ConfigChange> change = codec::DecodeConfigChange(entry.command.view());
  if (!change) {
    applied.refusal = "not a membership change: ";
    applied.refusal += change.error().text();
    return;
  }
  applied.change = std::move(*change);
  std::optional<std::string> why =
      raft::WhyRefused(membership_, *applied.change, options_.change_order);
  if (why) {
    applied.refusal = std::move(*why);
    return;
  }
  Membership members = membership_;
  raft::Apply(members, *applied.change, entry.index);
  SetMembership(std::move(members));
  applied.outcome = AppliedAs::kChangeAccepted;
}

Result<void> ReplicaRuntime::ApplyCommand(const raft::Entry& entry, AppliedEntry& applied) {
  const std::uint64_t series = entry.series_id;
  if (series == raft::kNoOpSeries) return Update(entry, applied);
  if (entry.command.empty() && series == raft::kRegisterSeries) {
    const bool registered = sessions_.Register(entry.client_id);
    applied.outcome = registered ? AppliedAs::kRegistered : AppliedAs::kAlreadyRegistered;
    if (registered) applied.result.value = entry.client_id;
    return {};
  }
  if (entry.command.empty() && series == raft::kUnregisterSeries) {
    const bool unregistered = sessions_.Unregister(entry.client_id);
    applied.outcome = unregistered ? AppliedAs::kUnregistered : AppliedAs::kSessionUnknown;
    if (unregistered) applied.result.value = entry.client_id;
    return {};
  }
  const SessionTable::Found found = sessions_.Find(entry.client_id, series, entry.responded_to);
  switch (found.verdict) {
    case SessionTable::Verdict::kUnknownSession:
      applied.outcome = AppliedAs::kSessionUnknown;
      return {};
    case SessionTable::Verdict::kAcknowledged: applied.outcome = AppliedAs::kIgnored; return {};
    case SessionTable::Verdict::kStored:
      applied.outcome = AppliedAs::kUpdated;
      applied.result = *found.result;
      return {};
    case SessionTable::Verdict::kNew: break;
  }
  Result<void> updated = Update(entry, applied);
  if (updated && applied.outcome == AppliedAs::kUpdated) {
    SessionTable::Store(*found.session, series, applied.result);
  }
  return updated;
}

Result<void> ReplicaRuntime::Update(const raft::Entry& entry, AppliedEntry& applied) {
  if (entry.type != raft::EntryType::kApplication && entry.type != raft::EntryType::kEncoded) {
    applied.refusal = "a client's entry of a type that holds no command";
    return {};
  }
  const Result<std::string_view> command =
      codec::DecodeCommand(entry, scratch_, options_.max_command_bytes);
  if (!command && command.error().code == ErrorCode::kPayloadTooLarge) {
    return Fail(ErrorCode::kReplicaFailed,
                "entry " + std::to_string(entry.index.value()) +
                    " cannot be applied: " + std::string(command.error().text()));
  }
  if (!command) {
    applied.refusal = command.error().text();
    return {};
  }
  Result<ApplyResult> result = machine_.Update(entry.index, *command);
  if (!result) return std::unexpected(std::move(result.error()));
  applied.outcome = AppliedAs::kUpdated;
  applied.result = std::move(*result);
  return {};
}

Result<std::any> ReplicaRuntime::Lookup(const std::any& query) const {
  std::shared_lock lock(lock_);
  if (Result<void> usable = Usable(); !usable) return std::unexpected(usable.error());
  if (options_.witness) return Fail(ErrorCode::kNotSupported, "a witness has no state");
  return machine_.Lookup(query);
}

Result<Runtime::Saved> ReplicaRuntime::Save(codec::ImageSink& sink, Compression compression,
                                            std::uint64_t now_unix_ns, std::stop_token stop) const {
  std::shared_lock lock(lock_);
  if (Result<void> usable = Usable(); !usable) return std::unexpected(usable.error());
  if (options_.witness) return Fail(ErrorCode::kNotSupported, "a witness has no state to save");
  if (codec::EncodeMembership(membership_).size() > codec::kMaxMembershipBytes) {
    return Fail(ErrorCode::kPayloadTooLarge, "the membership, removed replicas included, exceeds " +
                                                 std::to_string(codec::kMaxMembershipBytes) +
                                                 " bytes: no snapshot of it could be sent");
  }
  const auto writer = codec::ImageWriter::Make(sink, compression, now_unix_ns);
  if (Result<void> saved = SaveInto(*writer, std::move(stop)); !saved) {
    return std::unexpected(saved.error());
  }
  raft::SnapshotRecord record;
  record.index = applied();
  record.term = applied_term();
  record.membership = membership_;
  record.image_bytes = writer->image_bytes();
  return Saved{.record = std::move(record), .header = writer->header()};
}

Result<void> ReplicaRuntime::SaveInto(codec::ImageWriter& writer, std::stop_token stop) const {
  if (Result<void> written = sessions_.Write(writer, options_.max_sessions_bytes); !written) {
    return written;
  }
  if (Result<void> saved = machine_.Save(writer, std::move(stop)); !saved) return saved;
  return writer.Finish();
}

Result<void> ReplicaRuntime::Recover(const raft::SnapshotRecord& record,
                                     std::unique_ptr<SnapshotReader> image, std::stop_token stop) {
  std::unique_lock lock(lock_);
  if (Result<void> usable = Usable(); !usable) return usable;
  if (record.index <= applied()) {
    return FailWith({ErrorCode::kReplicaFailed, "snapshot of index " +
                                                    std::to_string(record.index.value()) +
                                                    " is not newer than the applied entry " +
                                                    std::to_string(applied().value())});
  }
  if (!options_.witness) {
    if (Result<void> done = RecoverState(record, std::move(image), std::move(stop)); !done) {
      return FailWith(done.error());
    }
  }
  SetMembership(record.membership);
  MoveTo(record.index, record.term);
  return {};
}

Result<void> ReplicaRuntime::RecoverState(const raft::SnapshotRecord& record,
                                          std::unique_ptr<SnapshotReader> image,
                                          std::stop_token stop) {
  if (record.witness || image == nullptr) {
    return Fail(ErrorCode::kReplicaFailed,
                "a witness's snapshot, which holds no state, for a replica that keeps one");
  }
  Result<SessionTable> sessions = LoadImage(*image, std::move(stop));
  if (!sessions) return std::unexpected(sessions.error());
  sessions_ = std::move(*sessions);
  return {};
}

Result<SessionTable> ReplicaRuntime::LoadImage(SnapshotReader& image, std::stop_token stop) {
  Result<codec::StoredSessions> stored = codec::ReadSessions(image, options_.max_sessions_bytes);
  if (!stored) return std::unexpected(stored.error());
  Result<SessionTable> sessions = SessionTable::Load(std::move(*stored));
  if (!sessions) return sessions;
  if (Result<void> done = machine_.Recover(image, std::move(stop)); !done) {
    return std::unexpected(done.error());
  }
  if (Result<void> rest = Drain(image); !rest) return std::unexpected(rest.error());
  return sessions;
}

void ReplicaRuntime::Close() {
  std::unique_lock lock(lock_);
  if (std::exchange(closed_, true)) return;
  if (machine_) machine_.Close();
}

}  // namespace

std::unique_ptr<Runtime> Runtime::Make(const RuntimeOptions& options,
                                       std::unique_ptr<StateMachine> state_machine) {
  return std::make_unique<ReplicaRuntime>(options, std::move(state_machine));
}

}  // namespace drumbeat::state_machine
