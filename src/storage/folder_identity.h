// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "drumbeat/error.h"

#include "storage/data_folder.h"

namespace drumbeat::storage {

/// What the identity record of a data folder says; a few lines of text (FORMATS.md).
struct IdentityRecord {
  FolderIdentity identity;
  std::string host_id;
};

std::string EncodeIdentity(const IdentityRecord& record);
/// `path`: for messages. kDamaged, kNewerFormat.
Result<IdentityRecord> DecodeIdentity(std::string_view path, std::string_view text);

/// Nothing when a folder of `recorded` may be used as `wanted`; kNotOwner, which says whose it is.
/// Addresses are compared without regard to case and surrounding blanks.
Result<void> CompareIdentity(std::string_view path, const FolderIdentity& recorded,
                             const FolderIdentity& wanted);

}  // namespace drumbeat::storage
