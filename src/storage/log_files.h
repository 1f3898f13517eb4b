// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <vector>

#include "drumbeat/error.h"

namespace drumbeat::logging {
class Logger;
}

namespace drumbeat::storage {

using LogFiles = std::vector<std::filesystem::path>;

/// Judges the write-ahead logs and the manifest of a RocksDB that nobody has open, before it is
/// opened: a torn tail behind which nothing whole was written is cut off and logged; kDamaged, with
/// the file's name, for anything else that does not fit.
///
/// A log that is torn but followed by one with records is left to RocksDB, which knows from its
/// manifest how much of it was synced (and refuses if that much is not there).
///
/// Returns the logs that hold no record. RocksDB keeps those until something is flushed, which a
/// host that is only started and stopped never does; once the database is open they are of no use.
Result<LogFiles> PrepareLogFiles(const std::filesystem::path& database,
                                 const logging::Logger& logger);

}  // namespace drumbeat::storage
