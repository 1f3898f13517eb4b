# SPDX-License-Identifier: Apache-2.0
"""The faults that the tests must find: each is an edit of the library's sources and the judge that
is asked about it. The first twenty are the list that the project set itself; the others are bugs
that real Raft libraries had, or that this one could have had."""

from dataclasses import dataclass

# Judges: how a mutant is looked for.
CORE = "core simulation"  # raft_tests: replicas of one shard, disks and network of its own
HOSTS = "whole hosts"  # simulate: whole hosts under virtual time


@dataclass(frozen=True)
class Edit:
    """`old`, which `file` holds exactly once, becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    name: str
    what: str
    edits: list
    judge: str  # CORE, HOSTS, or "<test program>: <gtest filter>"
    seeds: int = 0  # within how many seeds a simulation has to find it
    number: int = 0  # in the project's own list; 0: none of it
    hangs: bool = False  # that its judge does not end is how it is found


def edit(file, old, new):
    return [Edit("src/" + file, old.strip("\n"), new.strip("\n"))]


def unsynced(first_change_is_synced):
    """Of the hosts' writes in a simulation only those whose first change is such are synced."""
    taken = """    disk_->Take(static_cast<MemoryBatch&>(batch).changes());
    if (fault != Fault::kNone) return WriteRefused();
"""
    return edit("storage/memory_kv.cc", taken + "    disk_->SyncAll();",
                taken + "    const Space space = static_cast<MemoryBatch&>(batch).changes()[0].space;\n"
                "    if (" + first_change_is_synced + ") disk_->SyncAll();")


MUTANTS = [
    Mutant(
        "skip-vote-flush",
        "a vote is told before it is flushed",
        edit(
            "raft/output.cc",
            "out.must_sync = promised || changes || !out.entries.empty() || out.received_snapshot;",
            "out.must_sync = !out.entries.empty() || out.received_snapshot;",
        ),
        CORE, seeds=20, number=1,
    ),
    Mutant(
        "skip-vote-flush-in-host",
        "the host writes votes without a flush",
        unsynced("space == Space::kEntries"),
        HOSTS, seeds=100, number=1,
    ),
    Mutant(
        "skip-entry-flush",
        "the host writes entries without a flush",
        unsynced("space != Space::kEntries"),
        HOSTS, seeds=100, number=2,
    ),
    Mutant(
        "send-before-save",
        "all messages go before the write that they rest on",
        edit("raft/core.cc",
             "out_.messages_after_save.push_back({.shard = options_.shard,",
             "out_.messages_now.push_back({.shard = options_.shard,"),
        CORE, seeds=20, number=3,
    ),
    Mutant(
        "send-before-save-in-host",
        "the host sends before it writes what should come first",
        edit("node_host/replica_raft.cc",
             "  state_.Guarded([&] { SendAll(output_.messages_now); });",
             "  SendAll(output_.messages_now);\n  SendAll(output_.messages_after_save);"),
        HOSTS, seeds=200, number=3,
    ),
    Mutant(
        "commit-old-term",
        "an entry of an older term is committed by counting replicas",
        edit("raft/replication.cc",
             "if (index <= log_.committed() || log_.TermAt(index) != term_) return;",
             "if (index <= log_.committed()) return;"),
        CORE, seeds=200, number=4,
    ),
    Mutant(
        "vote-without-log-check",
        "a vote goes to a candidate whose log is shorter",
        edit("raft/election.cc",
             "const bool grant = free_to_vote && log_.IsUpToDate(request.last_index, "
             "request.last_term);",
             "const bool grant = free_to_vote;"),
        CORE, seeds=20, number=5,
    ),
    Mutant(
        "forget-vote",
        "a restart forgets the vote",
        edit("raft/core.cc", "vote_(stored.hard_state.vote),", "vote_(),"),
        CORE, seeds=100, number=6,
    ),
    Mutant(
        "truncate-on-append",
        "any append cuts the log behind it, also a late one that matches",
        edit("raft/log.cc",
             "    if (!Matches(entry.index, entry.term)) return entry.index;\n",
             "    return entry.index;\n"),
        CORE, seeds=50, number=7,
    ),
    Mutant(
        "read-without-quorum",
        "a leader answers reads without asking whether it still leads",
        edit("raft/reads.cc",
             "reads_.TakeConfirmed(QuorumValue<std::uint64_t>(rounds))",
             "reads_.TakeConfirmed(std::numeric_limits<std::uint64_t>::max())")
        + edit("raft/reads.cc", "  if (Alone()) ConfirmReads();", "  ConfirmReads();"),
        CORE, seeds=3000, number=8,
    ),
    Mutant(
        "read-before-first-commit",
        "a new leader answers reads before it has committed in its term",
        edit("raft/reads.cc",
             "const Index index = HasCommittedInTerm() ? log_.committed() : Index{0};",
             "const Index index = log_.committed();"),
        CORE, seeds=100, number=9,
    ),
    Mutant(
        "count-non-voters",
        "members without a vote count towards the commit quorum",
        edit("raft/replication.cc",
             "    if (member.voting()) matches.push_back(member.match());",
             "    matches.push_back(member.match());"),
        CORE, seeds=100, number=10,
    ),
    Mutant(
        "count-votes-of-non-voters",
        "votes of members without one count",
        edit("raft/election.cc",
             "void Core::HandleVote(Sender sender, bool rejected) {\n"
             "  if (!FindMember(sender.id)->voting()) return;\n",
             "void Core::HandleVote(Sender sender, bool rejected) {\n"),
        "raft: ElectionTest.*", number=10,
    ),
    Mutant(
        "count-pre-votes-of-non-voters",
        "pre-votes of members without a vote count",
        edit("raft/election.cc",
             "void Core::HandlePreVote(Sender sender, bool rejected) {\n"
             "  if (!FindMember(sender.id)->voting()) return;\n",
             "void Core::HandlePreVote(Sender sender, bool rejected) {\n"),
        "raft: ElectionTest.*", number=10,
    ),
    Mutant(
        "lead-by-non-voters",
        "a leader that hears from members without a vote only goes on",
        edit("raft/core.cc",
             "    if (member.voting() && (self || member.active())) ++heard;",
             "    if (self || member.active()) ++heard;"),
        "raft: ElectionTest.*", number=10,
    ),
    Mutant(
        "two-pending-changes",
        "a membership change may be proposed while another is under way",
        edit("raft/replication.cc",
             "    if (log_.HasUnappliedChange(log_.last())) return DropReason::kChangeInProgress;\n",
             ""),
        CORE, seeds=50, number=11,
    ),
    Mutant(
        "campaign-with-unapplied-change",
        "a replica stands for election while a committed change is not applied",
        edit("raft/election.cc",
             "!restoring_ && log_.applied() >= replayed_ &&\n"
             "         (!log_.HasUnappliedChange(log_.committed()) || log_.LacksHeldChangeOnly()) &&",
             "!restoring_ &&"),
        CORE, seeds=2000, number=12,
    ),
    Mutant(
        "campaign-before-changes-are-applied",
        "the same, but not before what was committed when it started is applied",
        edit("raft/election.cc",
             "         (!log_.HasUnappliedChange(log_.committed()) || log_.LacksHeldChangeOnly()) &&\n",
             ""),
        CORE, seeds=5000, number=12,
    ),
    Mutant(
        "compact-beyond-snapshot",
        "the log is cut although the snapshot could not be saved",
        edit("node_host/applier.cc",
             "    if (error.code == ErrorCode::kWriteFailed) state_.services.fail_host(error);\n"
             "    return;",
             "    if (error.code == ErrorCode::kWriteFailed) state_.services.fail_host(error);\n"
             "    state_.inbox.AddEvent(SnapshotTaken{raft::SnapshotRecord(), applied()});\n"
             "    notify_raft_();\n"
             "    return;"),
        HOSTS, seeds=400, number=13,
    ),
    Mutant(
        "snapshot-without-membership",
        "a snapshot does not hold the newest membership",
        edit("state_machine/runtime.cc",
             "  record.membership = membership_;",
             "  record.membership = membership_;\n"
             "  if (record.membership.voters.size() > 1) {\n"
             "    record.membership.voters.erase(std::prev(record.membership.voters.end()));\n"
             "  }"),
        HOSTS, seeds=20, number=14,
    ),
    Mutant(
        "snapshot-without-sessions",
        "a snapshot does not hold the session table",
        edit("state_machine/runtime.cc",
             "sessions_.Write(writer, ",
             "SessionTable().Write(writer, "),
        HOSTS, seeds=50, number=15,
    ),
    Mutant(
        "skip-frame-crc",
        "the checksum of a frame's payload is not compared",
        edit("codec/frame.cc",
             "return check == PayloadCheck::kNone || base::Crc32(payload) == header.payload_crc;",
             "return check == PayloadCheck::kNone || payload.size() == header.payload_bytes;"),
        "codec: FrameTest.*", number=16,
    ),
    Mutant(
        "skip-frame-header-crc",
        "the checksum of a frame's header is not compared",
        edit("codec/frame.cc",
             "  if (header_crc != HeaderCrc(header)) {",
             "  if (header_crc != HeaderCrc(header) && header.empty()) {"),
        "codec: FrameTest.*", number=16,
    ),
    Mutant(
        "skip-slot-crc",
        "the checksum of the witness is not compared",
        edit("storage/slot_file.cc",
             "  if (!reader.ok() || base::Crc32c(bytes.substr(0, kHeaderBytes + length)) != crc) {",
             "  if (!reader.ok() || crc == 1) {"),
        "storage: SlotFileTest.*", number=16,
    ),
    Mutant(
        "skip-log-crc",
        "the checksums of the write-ahead log are not compared before it is opened",
        edit("storage/wal_scan.cc",
             "    return KnownType(type) && Fits() && base::MaskCrc32c(base::Crc32c(checked)) == masked_crc;",
             "    return KnownType(type) && Fits();"),
        "storage: WalScanTest.*", number=16,
    ),
    Mutant(
        "skip-record-crc",
        "the checksum of stored entries is not compared",
        edit("storage/sealed_value.cc",
             "if (base::Crc32c(covered, base::Crc32c(key)) != crc) {",
             "if (base::Crc32c(covered, base::Crc32c(key)) != crc && key.empty()) {"),
        "storage: EntryRecordTest.*", number=16,
    ),
    Mutant(
        "no-frame-cap",
        "a frame may claim any size",
        edit("codec/frame.cc",
             "if (payload_bytes == 0 || payload_bytes > max_payload_bytes) {",
             "if (payload_bytes == 0) {"),
        "codec: FrameTest.*", number=17,
    ),
    Mutant(
        "use-chunk-file-name",
        "a received snapshot goes to the file that its sender names",
        edit("node_host/snapshot_receiver.cc",
             "  auto stream = std::make_shared<Stream>();",
             "  std::ofstream(chunk.file_path) << chunk.data.view();\n"
             "  auto stream = std::make_shared<Stream>();")
        + edit("node_host/snapshot_receiver.cc", "#include <optional>",
               "#include <fstream>\n#include <optional>"),
        "node_host: SnapshotReceiverTest.*", number=18,
    ),
    Mutant(
        "retry-flush",
        "a flush that failed is tried again and believed",
        edit("storage/kv_log_store.cc",
             "  const Result<void> written = "
             "core_->fence.Pass(core_->kv->Write(*scratch.batch));",
             "  Result<void> tried = core_->kv->Write(*scratch.batch);\n"
             "  if (!tried) tried = core_->kv->Write(*scratch.batch);\n"
             "  const Result<void> written = core_->fence.Pass(tried);"),
        HOSTS, seeds=100, number=19,
    ),
    Mutant(
        "retry-flush-of-slot",
        "a flush of the witness that failed is tried again and believed",
        edit("storage/slot_file.cc",
             "    if (::fdatasync(fd_.get()) != 0) {",
             "    if (::fdatasync(fd_.get()) != 0 && ::fdatasync(fd_.get()) != 0) {"),
        "storage: PowerCutTest.ASync*", number=19,
    ),
    Mutant(
        "retry-flush-of-file",
        "a flush of a new file or a folder that failed is tried again and believed",
        edit("storage/posix_file.cc",
             "  if (::fsync(fd) != 0) {",
             "  if (::fsync(fd) != 0 && ::fsync(fd) != 0) {"),
        "storage: PowerCutTest.ASync*", number=19,
    ),
    Mutant(
        "witness-unwritten",
        "a save goes on although the witness could not be written",
        edit("storage/kv_log_store.cc",
             "  return core_->fence.Pass(core_->witness->Raise(scratch.notes));",
             "  (void)core_->witness->Raise(scratch.notes);\n  return {};"),
        "storage: PowerCutTest.ASync*", number=19,
    ),
    Mutant(
        "wall-clock-ticks",
        "ticks follow the wall clock",
        edit("node_host/thread_scheduler.cc",
             "    auto next = std::chrono::steady_clock::now() + period_;",
             "    auto next = std::chrono::system_clock::now() + period_;")
        + edit("node_host/thread_scheduler.cc",
               "      next = std::max(next + period_, std::chrono::steady_clock::now());",
               "      next = std::max(next + period_, std::chrono::system_clock::now());"),
        "node_host: ThreadSchedulerTest.*", number=20,
    ),
    # -- Not in the list ---------------------------------------------------------------------------
    Mutant(
        "count-votes-twice",
        "a vote that arrives twice counts twice",
        edit("raft/quorum.cc", "    if (answer.first == from) return;", "    (void)answer;"),
        CORE, seeds=1000,
    ),
    Mutant(
        "erase-vote-on-step-down",
        "stepping down within a term erases the vote (Redpanda)",
        edit("raft/core.cc",
             "    term_ = term;\n    vote_ = ReplicaId{0};\n  }",
             "    term_ = term;\n  }\n  vote_ = ReplicaId{0};"),
        CORE, seeds=100,
    ),
    Mutant(
        "count-unsaved-log",
        "a leader counts its own entries before they are flushed (etcd)",
        edit("raft/replication.cc",
             "SetOwnMatch(log_.saved());", "SetOwnMatch(log_.last());"),
        CORE, seeds=50,
    ),
    Mutant(
        "commit-beyond-match",
        "a follower commits entries that the leader has not verified",
        edit("raft/following.cc",
             "log_.CommitTo(std::min(request.commit, last_new));",
             "log_.CommitTo(std::min(request.commit, log_.last()));"),
        CORE, seeds=200,
    ),
    Mutant(
        "heartbeat-beyond-match",
        "a heartbeat carries a commit index that its receiver may not have",
        edit("raft/replication.cc",
             "Heartbeat{.commit = std::min(member.match(), CommitFor(member.id())),",
             "Heartbeat{.commit = CommitFor(member.id()),"),
        CORE, seeds=20,
    ),
    Mutant(
        "told-to-campaign-unchecked",
        "whoever is told to campaign does so with committed changes unapplied (etcd)",
        edit("raft/election.cc",
             "  if (!MayCampaign()) return;\n  if (options_.pre_vote",
             "  const bool told = cause == CampaignCause::kToldByLeader && IsVoter();\n"
             "  if (!told && !MayCampaign()) return;\n  if (options_.pre_vote"),
        CORE, seeds=2000,
    ),
    Mutant(
        "told-for-ever",
        "whoever was told to campaign does so under a leader that goes on",
        edit("raft/following.cc",
             "  told_to_campaign_ = false;  // a leader that still wants it says so again, behind its "
             "heartbeat",
             ""),
        "raft: ToldEarlyTest.*",
    ),
    Mutant(
        "any-heartbeat-confirms",
        "an answer to an older heartbeat confirms the newest read",
        edit("raft/replication.cc",
             "  if (!reply.context || !member.voting()) return;\n"
             "  if (const auto sequence = reads_.SequenceOf(reply.context)) {",
             "  if (!member.voting() || reads_.empty()) return;\n"
             "  if (const auto sequence = reads_.SequenceOf(*reads_.newest())) {"),
        "raft: ReadsTest.*",
    ),
    Mutant(
        "snapshot-over-matching-log",
        "a snapshot throws away acknowledged entries behind it",
        edit("raft/following.cc",
             "    if (log_.Matches(snapshot.index, snapshot.term)) {",
             "    if (snapshot.index == log_.committed()) {"),
        "raft: SnapshotTest.*",
    ),
    Mutant(
        "repeat-applied-series",
        "a series that was answered before is applied once more",
        edit("state_machine/session_table.cc",
             "stored != history.end()) {",
             "stored != history.end() && history.empty()) {"),
        HOSTS, seeds=50,
    ),
    Mutant(
        "sessions-not-recovered",
        "a replica that recovers from a snapshot keeps its own session table",
        edit("state_machine/runtime.cc", "  sessions_ = std::move(*sessions);\n", ""),
        HOSTS, seeds=50,
    ),
    Mutant(
        "membership-not-recovered",
        "a replica that recovers from a snapshot keeps its own membership",
        edit("state_machine/runtime.cc",
             "  SetMembership(record.membership);\n  MoveTo(record.index, record.term);",
             "  if (applied() == Index(0)) SetMembership(record.membership);\n"
             "  MoveTo(record.index, record.term);"),
        HOSTS, seeds=200,
    ),
    Mutant(
        "unknown-told-as-refused",
        "a proposal that timed out is said to have had no effect",
        edit("node_host/pending_proposals.cc",
             "CompleteWithError(std::move(completion), Error{ErrorCode::kTimeout, {}});",
             "CompleteWithError(std::move(completion), Error{ErrorCode::kNoLeader, {}});"),
        HOSTS, seeds=50,
    ),
    Mutant(
        "read-before-applied",
        "a confirmed read is answered before its index is applied",
        edit("node_host/pending_reads.cc",
             "confirmed_.begin()->first > applied) return",
             "confirmed_.begin()->first > applied + 1) return"),
        HOSTS, seeds=100,
    ),
    Mutant(
        "ignore-record-epoch",
        "stored entries that were replaced come back after a restart",
        edit("storage/kv_log_store.cc",
             "  if (entries.front().index <= plan.after.last) epochs.own = ++plan.after.epoch;\n", ""),
        "storage: *LogStoreContract*:KvLogStoreTest.*:CrashTest.Sim*",
    ),
    Mutant(
        "witness-ahead-of-those-who-stay",
        "a witness may commit the removal of the one voter that has everything",
        edit("raft/witness.cc",
             "  return std::min(end, std::max(change - 1, EndForWitnesses(leaver)));",
             "  return end;"),
        "raft: WitnessTest.*",
    ),
    Mutant(
        "remove-at-once",
        "a removal is applied, and told to the removed, when only the leader knows of its commit",
        edit("raft/removal.cc",
             "  if (QuorumValue<Index>(staying) < removal_->notice) return;\n", ""),
        "raft: *RemovalTest.*",
    ),
    Mutant(
        "witness-ahead-of-other-voters",
        "a witness gets what the leader alone of the voters holds",
        edit("raft/witness.cc",
             "  Index end = ReachedBy(matches, in_every_majority);",
             "  Index end = ReachedBy(matches, 1);"),
        "raft: WitnessTest.*",
    ),
    Mutant(
        "witness-not-raised",
        "nothing remembers what was acknowledged besides the store itself",
        edit("storage/kv_log_store.cc",
             "  return core_->fence.Pass(core_->witness->Raise(scratch.notes));",
             "  return {};"),
        "storage: RocksDbStoresTest.*",
    ),
    Mutant(
        "apply-before-durable",
        "the host applies what is committed before it is on its own disk",
        edit("node_host/replica_raft.cc",
             "      output_.entries.empty() || committed.back().index < output_.entries.front().index;",
             "      output_.entries.empty() || true;"),
        HOSTS, seeds=100,
    ),
    Mutant(
        "acknowledge-what-was-replaced",
        "what the next leader replaces before it is saved is still acknowledged to the first",
        edit("raft/following.cc",
             "  if (conflict <= log_.last()) ForgetAcknowledged(conflict);\n", ""),
        "raft: HostileTest.*",
    ),
    Mutant(
        "voter-keeps-its-timeout",
        "whoever votes goes on with the timeout that it had drawn before",
        edit("raft/election.cc",
             "    RestartElectionTimer();\n  }\n  Send(sender.id, VoteReply",
             "    election_.elapsed = 0;\n  }\n  Send(sender.id, VoteReply"),
        "raft: ElectionTest.AVoter*",
    ),
]
