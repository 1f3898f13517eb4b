// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <any>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "drumbeat/state_machine.h"

#include "base/byte_coding.h"
#include "base/bytes.h"
#include "codec/command.h"
#include "codec/records.h"
#include "codec/snapshot_image.h"
#include "raft/entry.h"
#include "state_machine/runtime.h"

namespace drumbeat::state_machine {

/// What a TestMachine does and has done; shared, so that a test sees it after the runtime took the
/// machine over.
struct TestMachineState {
  std::vector<std::pair<std::uint64_t, std::string>> updates;
  /// Snapshots hold it and recovery replaces it.
  std::string text;
  int closed = 0;

  // Hooks that replace what the machine would do.
  std::function<Result<ApplyResult>(const UpdateEntry&)> on_update;
  std::function<Result<std::any>(const std::any&)> on_lookup;
  std::function<Result<void>(SnapshotWriter&, std::stop_token)> on_save;
  std::function<Result<void>(SnapshotReader&, std::stop_token)> on_recover;
  std::function<void()> on_close;
};

/// Appends every command to a text; answers with its length and itself.
class TestMachine : public StateMachine {
 public:
  explicit TestMachine(std::shared_ptr<TestMachineState> state) : state_(std::move(state)) {}

  Result<ApplyResult> Update(const UpdateEntry& entry) override {
    if (state_->on_update) return state_->on_update(entry);
    state_->updates.emplace_back(entry.index.value(), entry.command);
    state_->text += entry.command;
    return ApplyResult{.value = entry.command.size(), .data = std::string(entry.command)};
  }
  Result<std::any> Lookup(const std::any& query) const override {
    if (state_->on_lookup) return state_->on_lookup(query);
    return std::any(state_->text);
  }
  Result<void> SaveSnapshot(SnapshotWriter& writer, std::stop_token stop) const override {
    if (state_->on_save) return state_->on_save(writer, std::move(stop));
    return writer.Write(state_->text);
  }
  Result<void> RecoverFromSnapshot(SnapshotReader& reader, std::stop_token stop) override {
    if (state_->on_recover) return state_->on_recover(reader, std::move(stop));
    state_->text.clear();
    char buffer[1000];
    for (;;) {
      const Result<std::size_t> got = reader.Read(buffer);
      if (!got) return std::unexpected(got.error());
      if (*got == 0) return {};
      state_->text.append(buffer, *got);
    }
  }
  void Close() override {
    ++state_->closed;
    if (state_->on_close) state_->on_close();
  }

 private:
  std::shared_ptr<TestMachineState> state_;
};

/// A runtime over a TestMachine, and a log that grows by the entries applied.
class TestReplica {
 public:
  explicit TestReplica(RuntimeOptions options = {})
      : state(std::make_shared<TestMachineState>()),
        runtime(Runtime::Make(options, std::make_unique<TestMachine>(state))) {}

  /// Applies `entry` at the next index.
  Result<AppliedEntry> Apply(raft::Entry entry) {
    entry.index = runtime->applied() + 1;
    if (!entry.term) entry.term = std::max(runtime->applied_term(), Term(2));
    std::vector<AppliedEntry> out;
    const Result<void> applied = runtime->Apply({&entry, 1}, out);
    if (!applied) {
      EXPECT_TRUE(out.empty());
      return std::unexpected(applied.error());
    }
    EXPECT_EQ(out.size(), 1u);
    EXPECT_EQ(out[0].index, entry.index);
    EXPECT_EQ(out[0].key, entry.key);
    return out[0];
  }

  std::shared_ptr<TestMachineState> state;
  std::unique_ptr<Runtime> runtime;
};

inline raft::Entry Command(std::string_view payload, std::uint64_t client = 99,
                           std::uint64_t series = 0, std::uint64_t responded_to = 0,
                           Compression compression = Compression::kNone) {
  raft::Entry entry;
  entry.key = 1000 + series;
  entry.client_id = client;
  entry.series_id = series;
  entry.responded_to = responded_to;
  codec::EncodeCommand(entry, payload, compression);
  return entry;
}
inline raft::Entry Register(std::uint64_t client) {
  return Command("", client, raft::kRegisterSeries);
}
inline raft::Entry Unregister(std::uint64_t client) {
  return Command("", client, raft::kUnregisterSeries);
}
inline raft::Entry Raw(raft::EntryType type, std::string_view bytes, std::uint64_t client = 99) {
  raft::Entry entry;
  entry.type = type;
  entry.key = 1;
  entry.client_id = client;
  entry.command = base::Bytes::Copy(bytes);
  return entry;
}
inline raft::Entry Change(const raft::ConfigChange& change) {
  return Raw(raft::EntryType::kConfigChange, codec::EncodeConfigChange(change), 0);
}
inline raft::Entry AddVoter(std::uint64_t replica, std::string address) {
  raft::ConfigChange change;
  change.replica = ReplicaId(replica);
  change.address = std::move(address);
  return Change(change);
}

/// An image in memory.
class MemorySink : public codec::ImageSink {
 public:
  Result<void> Append(std::string_view bytes) override {
    if (fail_after && body.size() >= *fail_after) return Fail(ErrorCode::kStorage, "disk full");
    body += bytes;
    return {};
  }
  std::string body;
  std::optional<std::size_t> fail_after;
};

class MemoryReader : public SnapshotReader {
 public:
  explicit MemoryReader(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<std::size_t> Read(std::span<char> buffer) override {
    const std::size_t take = std::min(buffer.size(), bytes_.size() - at_);
    if (take != 0) std::memcpy(buffer.data(), bytes_.data() + at_, take);
    at_ += take;
    return take;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

/// A whole snapshot: what the stores would hold.
struct Snapshot {
  raft::SnapshotRecord record;
  std::string image;
};
inline Result<Snapshot> SaveSnapshot(const Runtime& runtime,
                                     Compression compression = Compression::kNone) {
  MemorySink sink;
  Result<Runtime::Saved> saved = runtime.Save(sink, compression, 1, {});
  if (!saved) return std::unexpected(saved.error());
  return Snapshot{.record = saved->record, .image = saved->header + sink.body};
}
inline Result<void> RecoverSnapshot(Runtime& runtime, const Snapshot& snapshot) {
  auto stream =
      codec::OpenImage(std::make_unique<MemoryReader>(snapshot.image), snapshot.record.image_bytes);
  if (!stream) return std::unexpected(stream.error());
  return runtime.Recover(snapshot.record, std::move(*stream), {});
}

}  // namespace drumbeat::state_machine
