// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "drumbeat/error.h"

namespace drumbeat::storage {

/// A small content that is replaced as a whole, durably and in one step.
/// Thread-safety: one thread at a time.
class SlotFile {
 public:
  virtual ~SlotFile() = default;
  /// What was written last; empty when nothing ever was.
  virtual const std::string& content() const = 0;
  /// A failure is final: so do all later ones fail.
  virtual Result<void> Write(std::string_view content) = 0;
};

/// Opens `directory/name`: two slots in one file, written in turn, so that a torn write leaves the
/// other one whole (FORMATS.md). Null when there is no such file. kDamaged when neither slot is
/// whole, kNewerFormat when a newer version wrote it, kLocked when it is open already (here or in
/// another process).
Result<std::unique_ptr<SlotFile>> OpenSlotFile(const std::filesystem::path& directory,
                                               const std::string& name);
/// Makes an empty one, durably.
Result<std::unique_ptr<SlotFile>> CreateSlotFile(const std::filesystem::path& directory,
                                                 const std::string& name);

}  // namespace drumbeat::storage
