// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

// One function for each program of the fuzzer: what must hold for any bytes. It returns what did
// not hold, and nothing when all did; a crash, a failed check and a sanitizer's report count, too.
namespace drumbeat::fuzz {

/// The reader of a connection: as the bytes come, and with the checksums of its frames made right.
std::string FuzzFrames(std::string_view input);
std::string FuzzMessageBatch(std::string_view input);
/// An entry, and a client's command in each of its encodings.
std::string FuzzEntry(std::string_view input);
/// Chunks of snapshots in any order and shape, into the receiver and the stores behind it.
std::string FuzzChunkStream(std::string_view input);
std::string FuzzSnapshotImage(std::string_view input);
std::string FuzzSessionTable(std::string_view input);
/// Records of members and changes, and a sequence of changes under the rules.
std::string FuzzMembership(std::string_view input);
/// A line that somebody types into the example, and addresses.
std::string FuzzCommandLine(std::string_view input);
/// A log store against a model of it, then with one stored value changed.
std::string FuzzLogStore(std::string_view input);
/// Files that are read before the database is: write-ahead log, witness, identity.
std::string FuzzStoredFiles(std::string_view input);
/// A whole replica among peers that say anything that can be said.
std::string FuzzReplica(std::string_view input);

struct Target {
  std::string_view name;
  std::string (*run)(std::string_view input);
};
std::span<const Target> AllTargets();

}  // namespace drumbeat::fuzz
