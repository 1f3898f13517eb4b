// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "drumbeat/error.h"

namespace drumbeat::storage {

/// Where in a data folder the stores are.
inline constexpr const char* kStoresName = "db";

/// Whose folder it is; recorded at its first use and compared at every later one.
struct FolderIdentity {
  std::string raft_address;
  std::uint64_t deployment_id = 1;
};

/// A node host's data folder: locked for this process, with a checked identity record.
///
/// Errors, each one line that names the folder and says what to do: kLocked (with the pid of the
/// process that has it), kNotOwner (says whose it is, or what it holds), kNewerFormat, kDamaged,
/// kStorage (not a folder, no permission, full disk, ...).
class DataFolder {
 public:
  /// Locks and checks the folder at `path`; a null pointer when there is none, or only an empty
  /// one.
  static Result<std::unique_ptr<DataFolder>> OpenExisting(const std::filesystem::path& path,
                                                          const FolderIdentity& identity);
  /// Makes the folder (mode 0700) with its missing parents, locks it and records `identity`
  /// durably. All of it is undone by the destructor unless Keep() was called.
  static Result<std::unique_ptr<DataFolder>> Create(const std::filesystem::path& path,
                                                    const FolderIdentity& identity);

  virtual ~DataFolder() = default;

  /// The start succeeded, stores and all: leave the folder in place, and note durably that there
  /// must be stores in it from now on.
  virtual Result<void> Keep() = 0;
  virtual const std::filesystem::path& path() const = 0;
  /// The folder's permanent UUID.
  virtual const std::string& host_id() const = 0;
};

}  // namespace drumbeat::storage
