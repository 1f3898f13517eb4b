// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drumbeat/error.h"
#include "drumbeat/types.h"

#include "raft/entry.h"

namespace drumbeat::storage {

/// The part of a replica's log that stands in its state record, written with every change.
struct LogState {
  raft::HardState hard_state;
  /// The log begins behind this entry.
  Index cut;
  /// Its term; 0: not known (or nothing was ever cut).
  Term cut_term;
  Index last;
  /// Goes up with every record that replaces entries; see FORMATS.md.
  std::uint64_t epoch = 0;

  friend bool operator==(const LogState&, const LogState&) = default;
};

/// Into `value`, which is emptied first.
void EncodeLogState(std::string& value, std::string_view key, const LogState& state);
Result<LogState> DecodeLogState(std::string_view key, std::string_view value);

/// Where the entries of one replica are: the records in force, by ascending first index. Each holds
/// the entries up to the next one's first, the last one those up to `last`.
/// Thread-safety: none.
class RecordMap {
 public:
  /// A record: where it begins, how long it is, in which epoch it was written.
  struct Start {
    Index first;
    std::uint64_t bytes = 0;
    std::uint64_t epoch = 0;
  };
  struct Place {
    Index first;
    /// One behind the last entry that the record still stands for.
    Index end;
    std::uint64_t bytes = 0;
  };

  bool empty() const { return head_ == places_.size(); }
  std::size_t size() const { return places_.size() - head_; }
  /// Adds a record and cuts off everything from its first index on.
  void Append(const Start& record);
  /// Forgets every record.
  void Clear();
  /// Forgets the records before the one that begins at `first`.
  void DropBefore(Index first);
  /// The record in force for `index`, which lies between the first record's first and `last`.
  Place Find(Index index, Index last) const;
  /// The epoch of the record in force for the entry before `index`; none if there is no such
  /// record.
  std::optional<std::uint64_t> EpochBefore(Index index) const;

  /// What may go when everything up to `index` may: whole records only.
  struct Prefix {
    std::uint64_t bytes = 0;
    /// First index that stays.
    Index end;
  };
  Prefix PrefixThrough(Index index, Index last) const;

 private:
  /// Position of the last record that begins at or before `index`.
  std::size_t Locate(Index index) const;
  Index EndOf(std::size_t position, Index last) const;

  std::vector<Start> places_;
  /// Records before it are gone; the room is given back from time to time.
  std::size_t head_ = 0;
};

}  // namespace drumbeat::storage
