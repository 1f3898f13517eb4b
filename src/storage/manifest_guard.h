// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>

namespace rocksdb {
class FileSystem;
}

namespace drumbeat::storage {

/// Whether a manifest, RocksDB's list of tables, could not be written or synced.
/// Thread-safety: any thread.
class ManifestGuard {
 public:
  bool failed() const { return failed_.load(); }
  void Fail() { failed_.store(true); }

 private:
  std::atomic<bool> failed_{false};
};

/// `files`, but from the moment on at which a manifest fails, which `guard` then knows of, nothing
/// is deleted any more. What could not be synced may be on the disk all the same: RocksDB deletes
/// the tables of an image that could not enter, and a manifest that names them cannot be opened.
/// The next opening deletes what no manifest names.
std::shared_ptr<rocksdb::FileSystem> GuardManifest(
    const std::shared_ptr<rocksdb::FileSystem>& files, std::shared_ptr<ManifestGuard> guard);

}  // namespace drumbeat::storage
