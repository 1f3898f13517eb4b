// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "contract/store_samples.h"
#include "storage/kv.h"
#include "storage/rocksdb_stores.h"

namespace drumbeat::storage {

/// Opens stores with small buffers in `directory`.
Result<Stores> OpenStores(const std::filesystem::path& directory);

/// Everything that the stores hold, as text: equal texts mean equal states. An error of any read is
/// returned as it is.
Result<std::string> Describe(Stores& stores);
/// What they hold of one replica.
Result<std::string> Describe(Stores& stores, const ReplicaRef& replica);

/// The same, of a folder. Errors of opening are returned as they are.
Result<std::string> DescribeFolder(const std::filesystem::path& directory);

/// The key of the record of the replica's image with the highest number; empty: there is none.
std::string ImageRecordKeyOf(Kv& kv, const ReplicaRef& replica);

std::string ReadFile(const std::filesystem::path& path);
void WriteFile(const std::filesystem::path& path, const std::string& bytes);
inline bool IsTable(const std::filesystem::path& file) { return file.extension() == ".sst"; }
/// One bit in the first block of a table flips.
void SpoilFirstBlock(const std::filesystem::path& table);

/// Regular files below `directory`, relative to it, sorted.
std::vector<std::filesystem::path> FilesBelow(const std::filesystem::path& directory);
/// The one of them with the highest number in its name and this extension.
std::filesystem::path NewestLog(const std::filesystem::path& directory);
/// Where the records in it end; zeros may follow.
std::uint64_t LogEnd(const std::filesystem::path& directory);

}  // namespace drumbeat::storage
