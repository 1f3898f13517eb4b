// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/input.h"
#include "fuzz/targets.h"
#include "storage/sealed_value.h"
#include "storage/stores.h"

namespace drumbeat::fuzz {
namespace {

constexpr ReplicaRef kReplica{ShardId(1), ReplicaId(1)};

/// What one replica's log must hold.
struct Model {
  raft::HardState hard_state;
  /// Everything since the last restart behind a snapshot; the store may have cut its beginning.
  std::map<Index, raft::Entry> entries;
  Index last;
  Index restarted_behind;
  /// Nothing above it may be cut.
  Index may_be_cut;
};

/// Operations on a store over a disk in memory, each followed by a look at everything in it.
class Session {
 public:
  explicit Session(Input& input) : input_(input) {}

  std::string Run() {
    if (!Open()) return "an empty disk can be opened";
    for (int step = 0; step < 60 && !input_.empty(); ++step) {
      std::string wrong = Step(input_.Byte());
      if (wrong.empty()) wrong = Compare();
      if (!wrong.empty()) return wrong;
      if (damaged_) break;
    }
    return {};
  }

 private:
  std::string Step(std::uint8_t choice) {
    switch (choice % 8) {
      case 0: return Cut();
      case 1: return Restart();
      case 2: return Crash();
      case 3: return Reopen();
      case 4: return input_.OneIn(4) ? Damage() : std::string();
      default: return Save();
    }
  }

  bool Open() {
    // Two seconds pass with every look at the clock, so that each synced save is witnessed.
    auto opened =
        storage::OpenMemoryStores(disk_, [this] { return now_ += std::chrono::seconds(2); });
    if (!opened) {
      why_ = opened.error().message;
      return false;
    }
    stores_ = std::make_unique<storage::Stores>(std::move(*opened));
    return true;
  }
  std::string Reopen() {
    stores_.reset();
    return Open() ? std::string() : "a whole store can be opened again: " + why_;
  }

  std::string Save() {
    const Index lowest = std::max(model_.restarted_behind, FirstStored() - 1);
    const std::uint64_t room = model_.last - lowest;
    std::vector<raft::Entry> entries;
    Index index = model_.last - std::min<std::uint64_t>(room, input_.Byte() / 32);
    const Term term = std::max(TermAt(index), Term(input_.Byte()));
    for (int left = input_.Below(6); left > 0; --left) {
      raft::Entry& entry = entries.emplace_back();
      entry.index = ++index;
      entry.term = term;
      entry.key = input_.Byte();
      entry.command = base::Bytes::Copy(std::string(std::size_t{input_.Byte()} << input_.Below(10),
                                                    static_cast<char>(index.value())));
    }
    // A vote is for one term.
    bool changed = input_.OneIn(3);
    if (changed) {
      model_.hard_state.term = std::max(model_.hard_state.term + 1, term);
      model_.hard_state.vote = ReplicaId(input_.Byte());
    }
    if (input_.Bool()) {
      changed = true;
      model_.hard_state.commit = Index(input_.Byte());
    }
    storage::ReplicaUpdate update{.replica = kReplica, .entries = entries};
    if (changed || input_.Bool()) update.hard_state = model_.hard_state;
    if (!entries.empty()) {
      model_.entries.erase(model_.entries.lower_bound(entries.front().index), model_.entries.end());
      model_.last = index;
    }
    for (const raft::Entry& entry : entries) model_.entries[entry.index] = entry;
    return Written(update);
  }

  std::string Restart() {
    raft::SnapshotRecord snapshot;
    snapshot.index = model_.last + input_.Below(4);
    snapshot.term = std::max(TermAt(model_.last), Term(1));
    if (!snapshot.index) return {};
    model_.entries.clear();
    model_.restarted_behind = model_.may_be_cut = model_.last = snapshot.index;
    restart_term_ = snapshot.term;
    return Written({.replica = kReplica, .restart_behind = snapshot});
  }

  std::string Written(const storage::ReplicaUpdate& update) {
    if (!stores_->log->Save({&update, 1})) return "a save that is in order succeeds";
    Note();
    return {};
  }

  std::string Cut() {
    const Index index(std::min<std::uint64_t>(model_.last.value(), input_.Byte()));
    model_.may_be_cut = std::max(model_.may_be_cut, index);
    if (!stores_->log->CutThrough(kReplica, index)) return "a log can be cut";
    Note();
    return {};
  }

  /// Remembers what a crash would leave.
  void Note() {
    const std::size_t unsynced = disk_->unsynced_batches();
    if (unsynced == 0) after_crash_.clear();
    if (unsynced == after_crash_.size()) after_crash_.push_back(model_);
  }

  std::string Crash() {
    const std::size_t unsynced = disk_->unsynced_batches();
    const std::size_t kept = unsynced == 0 ? 0 : input_.Byte() % (unsynced + 1);
    stores_.reset();
    disk_->Crash(kept);
    const Index may_be_cut = model_.may_be_cut;
    model_ = after_crash_[std::min(kept, after_crash_.size() - 1)];
    model_.may_be_cut = std::max(model_.may_be_cut, std::min(may_be_cut, model_.last));
    after_crash_ = {model_};
    return Open() ? std::string() : "a store can be opened after a power cut: " + why_;
  }

  /// One stored value changes. Unless it gets a right checksum, too, the store must notice or not
  /// be the worse for it.
  std::string Damage() {
    if (disk_->unsynced_batches() > 0) return {};
    stores_.reset();
    const auto kv = storage::OpenMemoryKv(disk_);
    const auto space = static_cast<storage::Space>(input_.Below(2));
    const std::string end(40, '\xff');
    std::vector<std::pair<std::string, std::string>> all;
    for (auto cursor = kv->Scan(space, {"", end}); cursor->Valid(); cursor->Next()) {
      all.emplace_back(cursor->key(), cursor->value());
    }
    if (all.empty()) return Reopen();
    auto& [key, value] = all[input_.Byte() % all.size()];
    const auto batch = kv->NewBatch();
    bool forged = false;
    if (input_.OneIn(4)) {
      batch->Delete(space, key);
    } else {
      if (!value.empty()) value[input_.Byte() % value.size()] ^= static_cast<char>(input_.Byte());
      if (input_.OneIn(3)) value.resize(input_.Byte() % (value.size() + 1));
      if (input_.OneIn(3)) value.append(input_.Text());
      if (forged = input_.Bool(); forged && value.size() >= storage::kSealBytes) {
        value.resize(value.size() - 4);
        storage::SealValue(value, key);
      }
      batch->Put(space, key, value);
    }
    if (!kv->Write(*batch)) return "the disk is in order";
    damaged_ = true;
    forged_ = forged;
    (void)Open();
    return {};
  }

  std::string Compare() {
    if (stores_ == nullptr) return {};
    const auto stored = stores_->log->Load(kReplica);
    if (!stored) return damaged_ ? std::string() : "a whole log can be loaded";
    // Nobody else knows the commit index, which is a hint.
    raft::HardState hard_state = model_.hard_state;
    if (damaged_) hard_state.commit = stored->hard_state.commit;
    if (!forged_ && stored->hard_state != hard_state) return "the hard state comes back";
    if (stored->first > stored->last) {
      return forged_ || (stored->last == model_.last) ? std::string() : "the log's last entry";
    }
    const auto entries =
        stores_->log->Read(kReplica, stored->first, stored->last + 1, ~std::uint64_t{0});
    if (!entries) return damaged_ ? std::string() : "a whole log can be read";
    if (forged_) return {};
    if (stored->last != model_.last) return "the log's last entry";
    if (stored->first > model_.may_be_cut + 1) return "what must stay is not cut";
    if (stored->first <= model_.restarted_behind) return "nothing is left before a snapshot";
    if (stored->term_before_first && *stored->term_before_first != TermAt(stored->first - 1)) {
      return "the term before the first entry";
    }
    Index index = stored->first;
    for (const raft::Entry& entry : *entries) {
      if (!(model_.entries[index] == entry)) return "entries come back";
      ++index;
    }
    return index == stored->last + 1 ? std::string() : "a read is complete";
  }

  Index FirstStored() {
    const auto stored = stores_->log->Load(kReplica);
    return stored ? stored->first : Index(1);
  }
  Term TermAt(Index index) const {
    if (index == model_.restarted_behind) return index ? restart_term_ : Term(0);
    const auto found = model_.entries.find(index);
    return found == model_.entries.end() ? Term(0) : found->second.term;
  }

  Input& input_;
  std::chrono::steady_clock::time_point now_;
  std::shared_ptr<storage::MemoryDisk> disk_ =
      std::make_shared<storage::MemoryDisk>(storage::MemoryDisk::Crashes::kSimulated);
  std::unique_ptr<storage::Stores> stores_;
  Model model_;
  Term restart_term_;
  std::vector<Model> after_crash_{Model()};
  std::string why_;
  bool damaged_ = false;
  bool forged_ = false;
};

}  // namespace

std::string FuzzLogStore(std::string_view bytes) {
  Input input(bytes);
  return Session(input).Run();
}

}  // namespace drumbeat::fuzz
